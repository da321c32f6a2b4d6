import { Counter, type Registry } from 'prom-client';
import type { JobName } from '@holdfast/shared/jobs';

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
