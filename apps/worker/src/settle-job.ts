import { setTimeout as pause } from 'node:timers/promises';
import { DelayedError, UnrecoverableError, WaitingError } from 'bullmq';
import { HoldfastError, type ErrorCode } from '@holdfast/shared/errors';
import { GiveUp, HandBack } from '@holdfast/shared/jobs';
import { isHostResting } from '@holdfast/shared/media-host';
import { redisErrorKind } from '@holdfast/shared/redis';

/** Why a signal was aborted: the job belongs to another worker by now, so nothing of it may be touched. */
export const LOCK_LOST = 'lock lost';

/** The one job that is being settled, as BullMQ hands it out. */
export interface JobInHand {
  moveToDelayed(timestamp: number, token?: string): Promise<void>;
  moveToWait(token?: string): Promise<unknown>;
}

/** Failures that are not the job's own: it goes back and its attempt is not counted. Milliseconds until the next start. */
const handBackAfterMs: Partial<Record<ErrorCode, number>> = {
  CATALOG_UNAVAILABLE: 1_000,
  QUEUE_UNAVAILABLE: 1_000,
  HOST_RATE_LIMITED: 60_000,
  SHUTTING_DOWN: 0,
};

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5_000;

/** How long until a job that ended with this error starts again without losing an attempt; undefined = the attempt counts. */
export function handBackDelay(error: unknown, signal: AbortSignal): number | undefined {
  if (signal.aborted) return 0;
  if (error instanceof HandBack) return error.delayMs;
  if (!(error instanceof HoldfastError)) return undefined;
  // Nothing was tried, so nothing failed: when to ask again, the error says.
  if (isHostResting(error)) return (error.retryAfterSeconds ?? 5) * 1_000;
  const delay = handBackAfterMs[error.code];
  if (delay === undefined) return undefined;
  return error.retryAfterSeconds === undefined ? delay : error.retryAfterSeconds * 1_000;
}

/**
 * Tells BullMQ how a job ended that did not return. The only place that knows how BullMQ spells our outcomes.
 * Always throws what BullMQ expects.
 */
export async function settleJob(
  error: unknown,
  job: JobInHand,
  token: string,
  signal: AbortSignal,
): Promise<never> {
  const delayMs = handBackDelay(error, signal);
  if (delayMs !== undefined) {
    if (signal.reason !== LOCK_LOST) await handBack(job, token, delayMs, signal);
    throw delayMs > 0 ? new DelayedError() : new WaitingError();
  }
  if (error instanceof GiveUp) throw new UnrecoverableError(error.message);
  throw error;
}

/**
 * Repeats until Redis takes it. Where that is hopeless (the lock is lost, the process stops) the job stays active
 * without a lock, and the stalled check of any worker brings it back, again without counting the attempt.
 */
async function handBack(job: JobInHand, token: string, delayMs: number, signal: AbortSignal): Promise<void> {
  for (let waitMs = FIRST_PAUSE_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_PAUSE_MS)) {
    try {
      if (delayMs > 0) await job.moveToDelayed(Date.now() + delayMs, token);
      else await job.moveToWait(token);
      return;
    } catch (error) {
      if (signal.aborted || redisErrorKind(error) === 'fatal') return;
      await pause(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
