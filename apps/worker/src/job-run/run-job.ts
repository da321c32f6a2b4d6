import type { Job } from 'bullmq';
import { Counter, type Registry } from 'prom-client';
import type { Catalog } from '@holdfast/shared/catalog';
import { toHoldfastError, type HoldfastError } from '@holdfast/foundation/errors';
import { GiveUp, HandBack, isJobName, jobs, type JobName, type JobPayload } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/foundation/logging';
import type { JobHandler, JobHandlers } from './job-handler.js';
import { decideOutcome, type JobOutcome } from './settle-job.js';

export interface RunJobDependencies {
  handlers: JobHandlers;
  noteFailure: NoteFailure;
  metrics: Pick<JobMetrics, 'count'>;
  log: Logger;
}

/** Never rejects. */
export type RunJob = (job: Job, signal: AbortSignal) => Promise<JobOutcome>;

/** While a fleet is upgraded or taken back, its workers are of two versions; it does not take longer than this. */
const TWO_VERSIONS_MS = 15 * 60_000;
/** Until another worker may take what this one cannot read. */
const ANOTHER_WORKER_MS = 15_000;

/** One job from arrival to outcome: parse, pick the handler, run it, note a failure in the record, log one event. */
export function createRunJob({ handlers, noteFailure, metrics, log }: RunJobDependencies): RunJob {
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
    } catch (error) {
      const outcome = decideOutcome(error, signal);
      if (outcome.kind === 'handBack') {
        ended('handed_back');
        jobLog.info('job.handed_back', { attempt, delayMs: outcome.delayMs, reason: reasonOf(error) });
        return outcome;
      }
      const final = outcome.kind === 'giveUp' || isLastAttempt(job);
      const failure = failureOf(error);
      ended(final ? 'failed' : 'attempt_failed');
      jobLog[final ? 'error' : 'warn'](final ? 'job.failed' : 'job.attempt_failed', {
        attempt,
        error: failure,
      });
      await noteFailure({ name, payload, attempt, final, error: failure }).catch((cause: unknown) =>
        jobLog.warn('job.failure_not_noted', { error: cause }),
      );
      return outcome;
    }
  };
  return async (job, signal) => {
    const jobLog = log.child({ job: job.name, jobId: job.id });
    const read = readJob(job);
    if (!(read instanceof GiveUp)) return run(read, job, signal, jobLog);
    const outcome = unread(job, read);
    if (isJobName(job.name)) metrics.count(job.name, outcome.kind === 'giveUp' ? 'failed' : 'handed_back', 0);
    if (outcome.kind === 'handBack')
      jobLog.info('job.handed_back', { delayMs: outcome.delayMs, reason: read.message });
    else jobLog.error('job.failed', { error: failureOf(read) });
    return outcome;
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
    return { name, payload: parsePayload(name, data) };
  } catch (error) {
    return error as GiveUp;
  }
}

/**
 * A job that cannot be read is perhaps of another version, which has a worker too: it is left to that one. Later nobody can
 * be expected to read it, and it waits in the failed list. Its age counts from when it was due.
 */
function unread(job: Job, error: GiveUp): Extract<JobOutcome, { kind: 'giveUp' | 'handBack' }> {
  const ageMs = Math.abs(Date.now() - job.timestamp - (job.opts.delay ?? 0));
  return ageMs < TWO_VERSIONS_MS
    ? { kind: 'handBack', delayMs: ANOTHER_WORKER_MS }
    : { kind: 'giveUp', error };
}

/** The same rule as BullMQ's own in Job.shouldRetryJob: the job will not be started again after this failure. */
function isLastAttempt(job: Job): boolean {
  return job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
}

export function parsePayload<Name extends JobName>(name: Name, data: unknown): JobPayload<Name> {
  try {
    // Each definition parses to its own payload; the table's type cannot say so for a name that is not known here.
    return jobs[name].parse(data) as JobPayload<Name>;
  } catch (error) {
    throw new GiveUp(toHoldfastError(error).message, { cause: error });
  }
}

function failureOf(error: unknown): HoldfastError {
  return toHoldfastError(error instanceof GiveUp && error.cause !== undefined ? error.cause : error);
}

function reasonOf(error: unknown): string {
  return error instanceof HandBack ? error.message : toHoldfastError(error).code;
}

interface Subject {
  id: string;
  revision: number;
  /** True where the last failure of the job makes the media failed. An edit that waits for the host does not. */
  decides: boolean;
}

type SubjectOf = { [Name in JobName]: (payload: JobPayload<Name>) => Subject | null };

/** The record in which the failure of a job is noted. A deletion shows in its status; a sync keeps its own account. */
const subjectOf: SubjectOf = {
  save: ({ record }) => ({ id: record.id, revision: record.revision, decides: true }),
  verify: ({ record }) => ({ id: record.id, revision: record.revision, decides: true }),
  push: ({ id }) => ({ id, revision: 0, decides: false }),
  remove: () => null,
  refresh: () => null,
  sync: () => null,
};

export interface Failure<Name extends JobName> {
  name: Name;
  payload: JobPayload<Name>;
  attempt: number;
  /** No attempt is left. */
  final: boolean;
  error: HoldfastError;
}

export type NoteFailure = <Name extends JobName>(failure: Failure<Name>) => Promise<void>;

/** Writes the failure of an attempt into the record: `lastError`, and after the last attempt status failed. */
export function createNoteFailure(catalog: Pick<Catalog, 'noteFailure'>): NoteFailure {
  return async ({ name, payload, attempt, final, error }) => {
    const subject = subjectOf[name](payload);
    if (subject === null) return;
    await catalog.noteFailure({
      id: subject.id,
      revision: subject.revision,
      attempts: attempt,
      final: final && subject.decides,
      error: { code: error.code, message: error.message },
    });
  };
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
