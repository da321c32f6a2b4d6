import type { Job } from 'bullmq';
import { Counter, type Registry } from 'prom-client';
import { HoldfastError, toHoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import type { Catalog } from '@holdfast/shared/catalog';
import { GiveUp, HandBack, isJobName, jobs, type JobName, type JobPayload } from '@holdfast/shared/jobs';
import { decideOutcome, type JobOutcome } from './settle-job.js';

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

export interface JobRunner {
  /** Never rejects. */
  run(job: Job, signal: AbortSignal): Promise<JobOutcome>;
  /** Logs and notes the failure of a job that was not run, since it has killed too many workers. Never rejects. */
  noteLost(job: Job, error: Error): Promise<void>;
}

export interface RunJobDependencies {
  handlers: JobHandlers;
  catalog: Pick<Catalog, 'noteFailure'>;
  metrics: JobMetrics;
  log: Logger;
}

/** One job from arrival to outcome: parse, pick the handler, run it, note a failure in the record, log one event. */
export function createJobRunner({ handlers, catalog, metrics, log }: RunJobDependencies): JobRunner {
  const note = async (failure: Failure, jobLog: Logger): Promise<void> => {
    try {
      await noteFailure(catalog, failure);
    } catch (cause) {
      jobLog.warn('job.failure_not_noted', { error: cause });
    }
  };

  const run = async (
    { name, payload }: ReadJob,
    job: Job,
    signal: AbortSignal,
    jobLog: Logger,
  ): Promise<JobOutcome> => {
    const attempt = job.attemptsMade + 1;
    const startedAt = performance.now();
    const ended = (outcome: JobOutcomeWord): void =>
      metrics.count(name, outcome, (performance.now() - startedAt) / 1_000);
    // The table pairs each name with its payload; the type cannot follow a name that is only known at run time.
    const handler = handlers[name] as JobHandler<JobName>;
    try {
      await handler(payload, { signal, attempt, log: jobLog });
      ended('done');
      jobLog.debug('job.done', { attempt, durationMs: Math.round(performance.now() - startedAt) });
      return { kind: 'done' };
    } catch (cause) {
      const outcome = decideOutcome(cause, signal);
      if (outcome.kind === 'handBack') {
        ended('handed_back');
        const reason = cause instanceof HandBack ? cause.message : toHoldfastError(cause).code;
        jobLog.info('job.handed_back', { attempt, delayMs: outcome.delayMs, reason });
        return outcome;
      }
      // The same rule as BullMQ's own in Job.shouldRetryJob.
      const final = outcome.kind === 'giveUp' || attempt >= (job.opts.attempts ?? 1);
      const error = failureOf(cause);
      ended(final ? 'failed' : 'attempt_failed');
      if (final) jobLog.error('job.failed', { attempt, error });
      else jobLog.warn('job.attempt_failed', { attempt, error });
      await note({ name, payload, attempt, final, error }, jobLog);
      return outcome;
    }
  };

  return {
    run: async (job, signal) => {
      const jobLog = log.child({ job: job.name, jobId: job.id });
      const read = readJob(job);
      if (!(read instanceof GiveUp)) return run(read, job, signal, jobLog);
      if (isJobName(job.name)) metrics.count(job.name, 'failed', 0);
      jobLog.error('job.failed', { error: failureOf(read) });
      return { kind: 'giveUp', error: read };
    },
    noteLost: async (job, cause) => {
      const jobLog = log.child({ job: job.name, jobId: job.id });
      const error = new HoldfastError('WORKER_LOST', cause.message, { cause });
      jobLog.error('job.failed', { error });
      const read = readJob(job);
      if (!(read instanceof GiveUp))
        await note({ ...read, attempt: job.attemptsMade, final: true, error }, jobLog);
    },
  };
}

interface ReadJob {
  name: JobName;
  payload: JobPayload<JobName>;
}

/** Or why it cannot be read. */
function readJob({ name, data }: Job): ReadJob | GiveUp {
  if (!isJobName(name)) return new GiveUp(`there is no job named ${JSON.stringify(name)}`);
  try {
    return { name, payload: jobs[name].parse(data) };
  } catch (cause) {
    return new GiveUp(toHoldfastError(cause).message, { cause });
  }
}

function failureOf(error: unknown): HoldfastError {
  return toHoldfastError(error instanceof GiveUp && error.cause !== undefined ? error.cause : error);
}

export interface Failure extends ReadJob {
  attempt: number;
  /** No attempt is left. */
  final: boolean;
  error: HoldfastError;
}

/** A failed push leaves the file as it is: an edit only waits for the host. */
const NO_REVISION = 0;

/**
 * Writes the failure of an attempt into the record: `lastError`, and after the last attempt status failed. A deletion shows in the
 * status of its file already, and a sync keeps its own account.
 */
export async function noteFailure(
  catalog: Pick<Catalog, 'noteFailure'>,
  { name, payload, attempt: attempts, final, error: { code, message } }: Failure,
): Promise<void> {
  const error = { code, message };
  if ('record' in payload) {
    const { id, revision } = payload.record;
    await catalog.noteFailure({ id, revision, attempts, final, error });
  } else if (name === 'push' && 'id' in payload)
    await catalog.noteFailure({ id: payload.id, revision: NO_REVISION, attempts, final: false, error });
}

/** How one run of a job ended, as metrics name it. */
export type JobOutcomeWord = 'done' | 'attempt_failed' | 'failed' | 'handed_back';

export interface JobMetrics {
  count(name: JobName, outcome: JobOutcomeWord, seconds: number): void;
}

/** Counts in process: BullMQ's own metrics cost Redis commands for each job. */
export function createJobMetrics(registry: Registry): JobMetrics {
  const registers = [registry];
  const ends = new Counter({
    name: 'holdfast_worker_jobs_total',
    help: 'Ends of job runs since the start of this worker.',
    labelNames: ['job', 'outcome'],
    registers,
  });
  const seconds = new Counter({
    name: 'holdfast_worker_job_seconds_total',
    help: 'Time spent in job runs since the start of this worker.',
    labelNames: ['job'],
    registers,
  });
  return {
    count: (job, outcome, took) => {
      ends.inc({ job, outcome });
      seconds.inc({ job }, took);
    },
  };
}
