import { setTimeout as pause } from 'node:timers/promises';

/** Asks until the answer is yes; rejects when it is not within `withinMs`. */
export async function until(
  what: string,
  withinMs: number,
  everyMs: number,
  isSo: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${String(withinMs)} ms`);
    await pause(everyMs);
  }
}
