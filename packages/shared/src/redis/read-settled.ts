import { setTimeout as pause } from 'node:timers/promises';

const FIRST_PAUSE_MS = 100;

/**
 * Reads again, after growing pauses, what is not as it should be, for as long as reads of this server may be behind writes of
 * others (`readsLagMs`). Answers what was read last. Where they never are, it reads once.
 */
export async function readSettled<Found>(
  lagMs: number,
  read: () => Promise<Found>,
  isSettled: (found: Found) => boolean,
): Promise<Found> {
  const until = performance.now() + lagMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs *= 2) {
    const found = await read();
    const leftMs = until - performance.now();
    if (leftMs <= 0 || isSettled(found)) return found;
    await pause(Math.min(pauseMs, Math.ceil(leftMs)));
  }
}
