import { redisErrorKind, type RedisErrorKind } from '@holdfast/shared/redis';
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
/** A refusal lasts until somebody mends it, and the worker rests many times a minute. */
const QUIET_MS = 60_000;

/** What the next command will meet as well; an outage ends the connection, and ioredis waits by itself. */
const lasting: ReadonlySet<RedisErrorKind> = new Set(['refused', 'demoted', 'credentials']);

/**
 * A worker on a Redis that refuses writes (full, read-only, loading), or whose user may not run a command that is needed, would
 * ask again at once, ten thousand times a second, or without end in one turn of the event loop. It rests instead, and tries again.
 */
export function createRefusalGuard(worker: Pausable, log: Logger): RefusalGuard {
  let pauseMs = FIRST_PAUSE_MS;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let logged: { kind: RedisErrorKind; at: number } | undefined;

  const logResting = (kind: RedisErrorKind): void => {
    const now = performance.now();
    if (logged?.kind === kind && now - logged.at < QUIET_MS) return;
    logged = { kind, at: now };
    log.warn('worker.resting', { kind, pauseMs });
  };
  const resume = (): void => {
    timer = undefined;
    void worker.resume();
  };
  return {
    onError: (error) => {
      if (stopped || timer !== undefined) return;
      const kind = redisErrorKind(error);
      if (!lasting.has(kind)) return;
      logResting(kind);
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
