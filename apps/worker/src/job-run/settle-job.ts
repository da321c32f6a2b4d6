import { setTimeout as pause } from 'node:timers/promises';
import { DelayedError, UnrecoverableError, WaitingError } from 'bullmq';
import { redisErrorKind } from '@holdfast/shared/redis';
import type { JobOutcome } from './job-outcome.js';

/** Why a signal was aborted: the job belongs to another worker by now, so nothing of it may be touched. */
export const LOCK_LOST = 'lock lost';

/** The one job that is being settled, as BullMQ hands it out. */
export interface JobInHand {
  moveToDelayed(timestamp: number, token?: string): Promise<void>;
  moveToWait(token?: string): Promise<unknown>;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Tells BullMQ how a job ended. The only place that knows how BullMQ spells our outcomes: returns where the job is done,
 * else throws what BullMQ expects.
 */
export async function settleJob(
  outcome: JobOutcome,
  job: JobInHand,
  token: string,
  signal: AbortSignal,
): Promise<void> {
  if (outcome.kind === 'done') return;
  if (signal.reason === LOCK_LOST) throw new WaitingError();
  switch (outcome.kind) {
    case 'handBack':
      await handBack(job, token, outcome.delayMs, signal);
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
