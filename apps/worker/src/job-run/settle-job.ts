import { DelayedError, UnrecoverableError, WaitingError, type Job } from 'bullmq';
import { HoldfastError, isHoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import { GiveUp, HandBack } from '@holdfast/shared/jobs';
import type { Backoff } from '@holdfast/foundation/lifecycle';
import { isCircuitOpen } from '@holdfast/shared/media-host';
import { redisErrorKind, redisRefusal } from '@holdfast/shared/redis';

/** How one run of a job ended. `again` counts the attempt; where none is left, that was the end. */
export type JobOutcome =
  | { kind: 'done' }
  | { kind: 'again'; error: unknown }
  | { kind: 'giveUp'; error: GiveUp }
  | { kind: 'handBack'; delayMs: number };

/** Failures that are not the job's own: it goes back and its attempt is not counted. Milliseconds until the next start. */
const handBackAfterMs: Partial<Record<ErrorCode, number>> = {
  CATALOG_UNAVAILABLE: 1_000,
  QUEUE_UNAVAILABLE: 1_000,
  HOST_RATE_LIMITED: 60_000,
  SHUTTING_DOWN: 0,
};

/** Clients may be asked to wait for longer. */
const LONGEST_REDIS_MS = 30_000;

/**
 * What the error of a handler means. Decided once, when the handler ends: the signal may abort while the record and the
 * metrics are written, and then they would say something else than BullMQ.
 */
export function decideOutcome(error: unknown, signal: AbortSignal): Exclude<JobOutcome, { kind: 'done' }> {
  const delayMs = handBackDelay(error, signal);
  if (delayMs !== undefined) return { kind: 'handBack', delayMs };
  return error instanceof GiveUp ? { kind: 'giveUp', error } : { kind: 'again', error };
}

/** How long until a job that ended with this error starts again without losing an attempt; undefined = the attempt counts. */
function handBackDelay(error: unknown, signal: AbortSignal): number | undefined {
  if (signal.aborted) return 0;
  if (error instanceof HandBack) return error.delayMs;
  if (!(error instanceof HoldfastError)) return undefined;
  // Nothing was tried, so nothing failed.
  const restMs = hostRestMs(error);
  if (restMs !== undefined) return restMs;
  const delay = handBackAfterMs[error.code];
  // It would be too large again.
  if (delay === undefined || redisRefusal(error) === 'request_size') return undefined;
  if (error.retryAfterSeconds === undefined) return delay;
  const asked = error.retryAfterSeconds * 1_000;
  return isHoldfastError(error, 'CATALOG_UNAVAILABLE', 'QUEUE_UNAVAILABLE')
    ? Math.min(asked, LONGEST_REDIS_MS)
    : asked;
}

const UNKNOWN_SECONDS = 5;

/** If the circuit is open: milliseconds until the host may be called again. */
export function hostRestMs(error: unknown): number | undefined {
  if (!(error instanceof HoldfastError) || !isCircuitOpen(error)) return undefined;
  return (error.retryAfterSeconds ?? UNKNOWN_SECONDS) * 1_000;
}

/** Why a signal was aborted: another worker has the job by now, so it must not be touched. */
export const LOCK_LOST = 'lock lost';

export interface Settling {
  /** Locks the job. */
  token: string;
  /** Aborts when the process stops, or the lock is lost. */
  signal: AbortSignal;
  /** The worker's own: if Redis refuses one job, it refuses all. */
  rests: Backoff;
}

/**
 * Tells BullMQ how a job ended. The only place that knows how BullMQ spells our outcomes: returns where the job is done,
 * else throws what BullMQ expects.
 */
export async function settleJob(outcome: JobOutcome, job: Job, settling: Settling): Promise<void> {
  if (outcome.kind === 'done') return;
  if (settling.signal.reason === LOCK_LOST) throw new WaitingError();
  switch (outcome.kind) {
    case 'handBack':
      await handBack(job, outcome.delayMs, settling);
      throw outcome.delayMs > 0 ? new DelayedError() : new WaitingError();
    case 'giveUp':
      throw new UnrecoverableError(outcome.error.message);
    case 'again':
      throw outcome.error;
  }
}

/**
 * Repeats until Redis takes it. Where that is hopeless (the lock is lost, the process stops) the job stays active
 * without a lock, and the stalled check of any worker brings it back, again without counting the attempt.
 */
async function handBack(job: Job, delayMs: number, { token, signal, rests }: Settling): Promise<void> {
  for (;;) {
    try {
      if (delayMs > 0) await job.moveToDelayed(Date.now() + delayMs, token);
      else await job.moveToWait(token);
      return;
    } catch (error) {
      if (signal.aborted || redisErrorKind(error) === 'fatal') return;
      await rests.rest(signal);
    }
  }
}
