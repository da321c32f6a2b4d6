import { DelayedError, UnrecoverableError, WaitingError, type Job } from 'bullmq';
import { Counter, type Registry } from 'prom-client';
import { HoldfastError, isHoldfastError, toHoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import type { Backoff } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import type { Catalog } from '@holdfast/shared/catalog';
import { HandBack, isJobName, jobs, type JobName, type JobPayload } from '@holdfast/shared/jobs';
import { isCircuitOpen } from '@holdfast/shared/media-host';
import { redisErrorKind, redisRefusal } from '@holdfast/shared/redis';

/** What a handler may know of the job it runs for. */
export interface JobContext {
  /** Aborts when the process stops or when the job has gone to another worker: end soon, by any error. */
  signal: AbortSignal;
  /** 1 for the first attempt. */
  attempt: number;
  log: Logger;
}

/**
 * Does the work of one kind of job. Returning is done; HandBack means later; any other error is one more attempt.
 * Every handler may run twice for the same job, on two workers at once, and changes nothing the second time.
 */
export type JobHandler<Name extends JobName> = (
  payload: JobPayload<Name>,
  context: JobContext,
) => Promise<void>;

export type JobHandlers = { [Name in JobName]: JobHandler<Name> };

/** Why a signal was aborted: another worker has the job by now, so it must not be touched. */
export const LOCK_LOST = 'lock lost';

/** What a worker knows of the job that it runs. */
export interface Running {
  /** Locks the job. */
  token: string;
  /** Aborts when the process stops, or the lock is lost. */
  signal: AbortSignal;
  /** The worker's own: if Redis refuses one job, it refuses all. */
  rests: Backoff;
}

/** In records that a failed job carries no revision of, the one that is there counts. */
const ANY_REVISION = 0;

export function createJobRunner({
  handlers,
  catalog,
  metrics,
  log,
}: {
  handlers: JobHandlers;
  catalog: Pick<Catalog, 'noteFailure'>;
  metrics: JobMetrics;
  log: Logger;
}) {
  const logOf = (job: Job): Logger => log.child({ job: job.name, jobId: job.id });
  /**
   * Writes the failure of an attempt into the record: `lastError`, and after the last attempt status failed. A failed push leaves the
   * file as it is: an edit only waits for the host. A deletion shows in the status of its file already, and a sync keeps its own
   * account. Never rejects.
   */
  const note = async (
    { name, payload }: ReadJob,
    attempts: number,
    final: boolean,
    error: HoldfastError,
    jobLog: Logger,
  ): Promise<void> => {
    try {
      if ('record' in payload) {
        const { id, revision } = payload.record;
        await catalog.noteFailure({ id, revision, attempts, final, error });
      } else if (name === 'push' && 'id' in payload)
        await catalog.noteFailure({ id: payload.id, revision: ANY_REVISION, attempts, final: false, error });
    } catch (cause) {
      jobLog.warn('job.failure_not_noted', { error: cause });
    }
  };

  return {
    /**
     * One job from arrival to outcome: parse, pick the handler, run it, note a failure in the record, log one event. Returns where
     * the job is done, else throws what BullMQ expects: nothing else knows how BullMQ spells our outcomes.
     */
    run: async (job: Job, running: Running): Promise<void> => {
      const { signal } = running;
      const startedAt = performance.now();
      const read = readJob(job);
      if (read instanceof HoldfastError) {
        if (isJobName(job.name)) metrics.count(job.name, 'failed', 0);
        logOf(job).error('job.failed', { error: read });
        throw new UnrecoverableError(read.message);
      }
      const { name, payload } = read;
      const attempt = job.attemptsMade + 1;
      const ended = (outcome: JobOutcomeWord): void =>
        metrics.count(name, outcome, (performance.now() - startedAt) / 1_000);
      try {
        // The table pairs each name with its payload; the type cannot follow a name that is only known at run time.
        const handle = handlers[name] as JobHandler<JobName>;
        await handle(payload, {
          signal,
          attempt,
          // Most jobs log nothing.
          get log() {
            return logOf(job);
          },
        });
        ended('done');
      } catch (cause) {
        const jobLog = logOf(job);
        const error = toHoldfastError(cause);
        // Decided once, now: the signal may abort while the record and the metrics are written, and then they would say something
        // else than BullMQ.
        const delayMs = handBackDelay(cause, signal);
        if (delayMs !== undefined) {
          ended('handed_back');
          const reason = cause instanceof HandBack ? cause.message : error.code;
          jobLog.info('job.handed_back', { attempt, delayMs, reason });
          throw await handBack(job, delayMs, running);
        }
        // The same rule as BullMQ's own in Job.shouldRetryJob.
        const final = attempt >= (job.opts.attempts ?? 1);
        ended(final ? 'failed' : 'attempt_failed');
        if (final) jobLog.error('job.failed', { attempt, error });
        else jobLog.warn('job.attempt_failed', { attempt, error });
        await note(read, attempt, final, error, jobLog);
        throw signal.reason === LOCK_LOST ? new WaitingError() : cause;
      }
    },
    /** Logs and notes the failure of a job that was not run, since it has killed too many workers. Never rejects. */
    noteLost: async (job: Job, cause: Error): Promise<void> => {
      const error = new HoldfastError('WORKER_LOST', cause.message, { cause });
      const jobLog = logOf(job);
      jobLog.error('job.failed', { error });
      const read = readJob(job);
      if (!(read instanceof HoldfastError)) await note(read, job.attemptsMade, true, error, jobLog);
    },
  };
}

export type JobRunner = ReturnType<typeof createJobRunner>;

interface ReadJob {
  name: JobName;
  payload: JobPayload<JobName>;
}

/** Or why it cannot be read: it fails at once. */
function readJob({ name, data }: Job): ReadJob | HoldfastError {
  if (!isJobName(name))
    return new HoldfastError('INVALID_REQUEST', `there is no job named ${JSON.stringify(name)}`);
  try {
    return { name, payload: jobs[name].parse(data) };
  } catch (error) {
    return toHoldfastError(error);
  }
}

/** Failures that are not the job's own: it goes back and its attempt is not counted. Milliseconds until the next start. */
const handBackAfterMs: Partial<Record<ErrorCode, number>> = {
  CATALOG_UNAVAILABLE: 1_000,
  QUEUE_UNAVAILABLE: 1_000,
  HOST_RATE_LIMITED: 60_000,
  SHUTTING_DOWN: 0,
};

/** Clients may be asked to wait for longer. */
const LONGEST_REDIS_MS = 30_000;

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

/**
 * Repeats until Redis takes it; resolves with what BullMQ expects then. Where that is hopeless (the lock is lost, the process stops)
 * the job stays active without a lock, and the stalled check of any worker brings it back, again without counting the attempt.
 */
async function handBack(job: Job, delayMs: number, { token, signal, rests }: Running): Promise<Error> {
  while (signal.reason !== LOCK_LOST)
    try {
      if (delayMs > 0) await job.moveToDelayed(Date.now() + delayMs, token);
      else await job.moveToWait(token);
      break;
    } catch (error) {
      if (signal.aborted || redisErrorKind(error) === 'fatal') break;
      await rests.rest(signal);
    }
  return delayMs > 0 ? new DelayedError() : new WaitingError();
}

/** How one run of a job ended, as metrics name it. */
type JobOutcomeWord = 'done' | 'attempt_failed' | 'failed' | 'handed_back';

/** Counts in process: BullMQ's own metrics cost Redis commands for each job. */
export function createJobMetrics(registry: Registry) {
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
    count: (job: JobName, outcome: JobOutcomeWord, took: number): void => {
      ends.inc({ job, outcome });
      seconds.inc({ job }, took);
    },
  };
}

export type JobMetrics = ReturnType<typeof createJobMetrics>;
