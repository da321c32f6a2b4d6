import { untilAborted } from './abort.js';

/**
 * The pauses of one loop between failed attempts: 1 s, then twice as long each time, up to 30 s. Every loop that repeats
 * something that may fail for long has one. A fault then costs little, and its end is noticed within half a minute.
 */
export type Backoff = ReturnType<typeof createBackoff>;

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;
/** Random share of a longer rest, so that loops which failed together do not retry together. */
const SPREAD = 0.2;

export function createBackoff() {
  let ms = FIRST_MS;
  let resting: Promise<void> | undefined;
  let end = (): void => undefined;

  const nextMs = (): number => {
    const now = ms;
    ms = Math.min(ms * 2, LONGEST_MS);
    return now === FIRST_MS ? now : now * (1 - Math.random() * SPREAD);
  };
  const begin = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => end(), nextMs()).unref();
      end = () => {
        clearTimeout(timer);
        resting = undefined;
        resolve();
      };
    });
  return {
    /** How long to rest after one more failure. */
    nextMs,
    /** Rests that long, or until a reset or the signal. Callers that fail during a rest share it. Never rejects. */
    rest: async (signal?: AbortSignal): Promise<void> => {
      if (signal?.aborted === true) return;
      resting ??= begin();
      await (signal === undefined ? resting : untilAborted(resting, signal).catch(() => undefined));
    },
    /** Something succeeded, or may succeed now: ends the rest, and the next one is short again. */
    reset: (): void => {
      ms = FIRST_MS;
      end();
    },
    /** Whether a rest is under way. A loop that events start does nothing then. */
    isResting: (): boolean => resting !== undefined,
  };
}
