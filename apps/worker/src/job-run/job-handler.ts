import type { JobName, JobPayload } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/foundation/logging';

/** What a handler may know of the job it runs for. */
export interface JobContext {
  /** Aborts when the process stops or when the job has gone to another worker: end soon, by any error. */
  signal: AbortSignal;
  /** 1 for the first attempt. */
  attempt: number;
  log: Logger;
}

/**
 * Does the work of one kind of job. Returning is done; GiveUp and HandBack say so; any other error is one more attempt.
 * Every handler may run twice for the same job, on two workers at once, and changes nothing the second time.
 */
export type JobHandler<Name extends JobName> = (
  payload: JobPayload<Name>,
  context: JobContext,
) => Promise<void>;

export type JobHandlers = { [Name in JobName]: JobHandler<Name> };
