import { onAbort } from './abort.js';

/**
 * The pauses of one loop between failed attempts: 1 s, then twice as long each time, up to 30 s. Every loop that repeats
 * something that may fail for long has one. A fault then costs little, and its end is noticed within half a minute.
 */
export interface Backoff {
  /** How long to rest after one more failure. */
  nextMs(): number;
  /**
   * Rests that long, or until a reset or the signal. Callers that fail during a rest share it. Never rejects.
   */
  rest(signal?: AbortSignal): Promise<void>;
  /** Something succeeded, or may succeed now: ends the rest, and the next one is short again. */
  reset(): void;
  /** Whether a rest is under way. A loop that events start does nothing then. */
  isResting(): boolean;
}

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;
/** Random share of a longer rest, so that loops which failed together do not retry together. */
const SPREAD = 0.2;

export function createBackoff(): Backoff {
  let ms = FIRST_MS;
  let resting: { over: Promise<void>; end: () => void } | undefined;

  const nextMs = (): number => {
    const now = ms;
    ms = Math.min(ms * 2, LONGEST_MS);
    return now === FIRST_MS ? now : now * (1 - Math.random() * SPREAD);
  };
  const begin = (): NonNullable<typeof resting> => {
    let end = (): void => undefined;
    const over = new Promise<void>((resolve) => {
      const timer = setTimeout(() => end(), nextMs()).unref();
      end = () => {
        clearTimeout(timer);
        resting = undefined;
        resolve();
      };
    });
    return { over, end };
  };
  return {
    nextMs,
    rest: async (signal) => {
      if (signal?.aborted === true) return;
      resting ??= begin();
      const { over } = resting;
      if (signal === undefined) return over;
      let forget = (): void => undefined;
      const aborted = new Promise<void>((resolve) => {
        forget = onAbort(signal, () => resolve());
      });
      await Promise.race([over, aborted]);
      forget();
    },
    reset: () => {
      ms = FIRST_MS;
      resting?.end();
    },
    isResting: () => resting !== undefined,
  };
}
