import type { JobName } from '@holdfast/shared/jobs';

/** How one run of a job ended, as metrics name it. */
export type JobOutcomeWord = 'done' | 'attempt_failed' | 'failed' | 'handed_back';

export interface JobMetrics {
  count(name: JobName, outcome: JobOutcomeWord, seconds: number): void;
  /** Prometheus text. */
  render(): string;
}

/** Counts in process: BullMQ's own metrics cost Redis commands for each job. */
export function createJobMetrics(): JobMetrics {
  const counts = new Map<string, number>();
  const seconds = new Map<JobName, number>();
  const bump = <Key>(map: Map<Key, number>, key: Key, by: number): void => {
    map.set(key, (map.get(key) ?? 0) + by);
  };
  return {
    count: (name, outcome, took) => {
      bump(counts, `job="${name}",outcome="${outcome}"`, 1);
      bump(seconds, name, took);
    },
    render: () =>
      [
        '# HELP holdfast_worker_jobs_total Ends of job runs since the start of this worker.',
        '# TYPE holdfast_worker_jobs_total counter',
        ...[...counts].map(([labels, value]) => `holdfast_worker_jobs_total{${labels}} ${String(value)}`),
        '# HELP holdfast_worker_job_seconds_total Time spent in job runs since the start of this worker.',
        '# TYPE holdfast_worker_job_seconds_total counter',
        ...[...seconds].map(
          ([name, value]) => `holdfast_worker_job_seconds_total{job="${name}"} ${value.toFixed(6)}`,
        ),
        '# HELP process_resident_memory_bytes Resident memory.',
        '# TYPE process_resident_memory_bytes gauge',
        `process_resident_memory_bytes ${String(process.memoryUsage.rss())}`,
        '',
      ].join('\n'),
  };
}
