import { setTimeout as pause } from 'node:timers/promises';

/** Asks until the answer is yes. False when it is not within `withinMs`; an error of asking counts as no. */
export async function until(
  withinMs: number,
  everyMs: number,
  isSo: () => Promise<boolean> | boolean,
): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const yes = await Promise.resolve()
      .then(isSo)
      .catch(() => false);
    if (yes) return true;
    if (performance.now() > deadline) return false;
    await pause(everyMs);
  }
}
