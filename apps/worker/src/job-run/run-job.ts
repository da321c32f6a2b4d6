import type { Job } from 'bullmq';
import { toHoldfastError, type HoldfastError } from '@holdfast/shared/errors';
import { GiveUp, HandBack, isJobName, jobs, type JobName, type JobPayload } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/shared/logging';
import type { JobHandler, JobHandlers } from './job-handler.js';
import type { JobMetrics, JobOutcomeWord } from './job-metrics.js';
import { decideOutcome, type JobOutcome } from './job-outcome.js';
import type { NoteFailure } from './note-failure.js';

export interface RunJobDependencies {
  handlers: JobHandlers;
  noteFailure: NoteFailure;
  metrics: Pick<JobMetrics, 'count'>;
  log: Logger;
}

/** Never rejects. */
export type RunJob = (job: Job, signal: AbortSignal) => Promise<JobOutcome>;

/** One job from arrival to outcome: parse, pick the handler, run it, note a failure in the record, log one event. */
export function createRunJob({ handlers, noteFailure, metrics, log }: RunJobDependencies): RunJob {
  const run = async (name: JobName, job: Job, signal: AbortSignal): Promise<JobOutcome> => {
    const attempt = job.attemptsMade + 1;
    const jobLog = log.child({ job: name, jobId: job.id });
    const startedAt = performance.now();
    const ended = (outcome: JobOutcomeWord): void =>
      metrics.count(name, outcome, (performance.now() - startedAt) / 1_000);
    // The table pairs each name with its payload; the type cannot follow a name that is only known at run time.
    const handler = handlers[name] as JobHandler<JobName>;
    let payload: JobPayload<JobName> | undefined;
    try {
      payload = parsePayload(name, job.data);
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
      // Whose it was is not known where the payload could not be read.
      if (payload !== undefined)
        await noteFailure({ name, payload, attempt, final, error: failure }).catch((cause: unknown) =>
          jobLog.warn('job.failure_not_noted', { error: cause }),
        );
      return outcome;
    }
  };
  return async (job, signal) => {
    if (isJobName(job.name)) return run(job.name, job, signal);
    // Of another version, perhaps. It waits in the failed list.
    const error = new GiveUp(`there is no job named ${JSON.stringify(job.name)}`);
    log.error('job.failed', { job: job.name, jobId: job.id, error });
    return { kind: 'giveUp', error };
  };
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
