import { DelayedError, UnrecoverableError, WaitingError } from 'bullmq';
import type { Backoff } from '@holdfast/shared/lifecycle';
import { redisErrorKind } from '@holdfast/shared/redis';
import type { JobOutcome } from './job-outcome.js';

/** Why a signal was aborted: the job belongs to another worker by now, so nothing of it may be touched. */
export const LOCK_LOST = 'lock lost';

/** The one job that is being settled, as BullMQ hands it out. */
export interface JobInHand {
  moveToDelayed(timestamp: number, token?: string): Promise<void>;
  moveToWait(token?: string): Promise<unknown>;
}

export interface Settling {
  /** Locks the job. */
  token: string;
  /** Aborts when the process stops, or the lock is lost. */
  signal: AbortSignal;
  /** Of the worker: what Redis does not take from one job it takes from none. */
  rests: Backoff;
}

/**
 * Tells BullMQ how a job ended. The only place that knows how BullMQ spells our outcomes: returns where the job is done,
 * else throws what BullMQ expects.
 */
export async function settleJob(outcome: JobOutcome, job: JobInHand, settling: Settling): Promise<void> {
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
async function handBack(job: JobInHand, delayMs: number, { token, signal, rests }: Settling): Promise<void> {
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
