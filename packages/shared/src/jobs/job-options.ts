import type { JobsOptions } from 'bullmq';
import type { JobSettings } from '../config/index.js';
import type { JobDefinition } from './define-job.js';

/**
 * A job that lost its worker this often is not tried again: something in it kills processes. Starts are not limited: a job
 * that waits for Redis or for the host is started again and again, which says nothing against it.
 */
const MAX_WORKERS_LOST = 50;

/** The options of one job: its id, its attempts, and what is kept of it. Built here and nowhere else. */
export function jobOptions<Payload>(
  definition: JobDefinition<string, Payload>,
  payload: Payload,
  settings: JobSettings,
  over: JobsOptions = {},
): JobsOptions {
  const { completed, failed } = definition.keep;
  return {
    jobId: definition.idFor(payload),
    attempts: settings.attempts,
    backoff: { type: 'exponential', delay: settings.backoffMs, jitter: 0.5 },
    removeOnComplete: { count: completed.count, age: completed.ageSeconds },
    removeOnFail: { age: failed.ageSeconds },
    ...over,
  };
}

/** Options of every BullMQ Worker of ours; why these: docs/decisions/0008-our-own-watch.md. */
export const workerTimings = {
  lockDurationMs: 20_000,
  stalledIntervalMs: 14_000,
  maxStalledCount: MAX_WORKERS_LOST,
  /** Longest block of an idle worker. The watch makes up for wake-ups that a long block can lose. */
  blockSeconds: 900,
} as const;

/** The event stream of a queue is only read by open browsers; the default of 10,000 entries costs megabytes. */
export const streamOptions = { streams: { events: { maxLen: 100 } } } as const;
