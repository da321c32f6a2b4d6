import { redisErrorKind } from '@holdfast/shared/redis';
import type { Logger } from '@holdfast/shared/logging';

/** The part of a BullMQ worker that the guard needs. */
export interface Pausable {
  pause(doNotWaitActive?: boolean): Promise<void>;
  resume(): Promise<void>;
  isPaused(): boolean;
}

export interface RefusalGuard {
  /** To be told of every error event. */
  onError(error: Error): void;
  /** Work is done again: the next refusal starts with a short pause. */
  onProgress(): void;
  /** No resume follows. */
  stop(): void;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5_000;

/**
 * A worker with waiting jobs on a Redis that refuses writes (full, read-only, loading) would ask again at once, ten
 * thousand times a second. It rests instead, and tries again.
 */
export function createRefusalGuard(worker: Pausable, log: Logger): RefusalGuard {
  let pauseMs = FIRST_PAUSE_MS;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const resume = (): void => {
    timer = undefined;
    void worker.resume();
  };
  return {
    onError: (error) => {
      if (stopped || timer !== undefined) return;
      const kind = redisErrorKind(error);
      if (kind !== 'refused' && kind !== 'demoted') return;
      log.warn('worker.resting', { kind, pauseMs });
      void worker.pause(true);
      timer = setTimeout(resume, pauseMs);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    },
    onProgress: () => {
      pauseMs = FIRST_PAUSE_MS;
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
