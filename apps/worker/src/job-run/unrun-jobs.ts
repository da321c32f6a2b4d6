import { UnrecoverableError, type Job } from 'bullmq';
import { HoldfastError, toHoldfastError } from '@holdfast/shared/errors';
import { isJobName, type JobName } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/shared/logging';
import type { NoteFailure } from './note-failure.js';
import { parsePayload } from './run-job.js';

export interface UnrunJobs {
  /** What a job that ran here ends with: runJob has told of it. */
  hasRun(error: unknown): void;
  /** To be told of every job that fails. */
  onFailed(job: Job | undefined, error: Error): void;
  /** Resolves once nothing is being noted any more. */
  noted(): Promise<void>;
}

/** Tells of jobs that failed without being run: BullMQ does that to those that killed too many workers. */
export function createUnrunJobs(noteFailure: NoteFailure, log: Logger): UnrunJobs {
  const told = new WeakSet<Error>();
  const notes = new Set<Promise<void>>();

  const note = async (name: JobName, job: Job, error: Error): Promise<void> => {
    log.error('job.failed', {
      job: name,
      jobId: job.id,
      error: { name: error.name, message: error.message },
    });
    try {
      const payload = parsePayload(name, job.data);
      // Else it ran, its end could not be stored, and it is tried again.
      const isLost = error instanceof UnrecoverableError;
      await noteFailure({
        name,
        payload,
        attempt: job.attemptsMade,
        final: isLost,
        error: isLost
          ? new HoldfastError('WORKER_LOST', error.message, { cause: error })
          : toHoldfastError(error),
      });
    } catch (cause) {
      log.warn('job.failure_not_noted', { jobId: job.id, error: cause });
    }
  };

  return {
    hasRun: (error) => {
      if (error instanceof Error) told.add(error);
    },
    onFailed: (job, error) => {
      if (job === undefined || told.has(error) || !isJobName(job.name)) return;
      const noting = note(job.name, job, error).finally(() => notes.delete(noting));
      notes.add(noting);
    },
    noted: async () => {
      await Promise.allSettled(notes);
    },
  };
}
