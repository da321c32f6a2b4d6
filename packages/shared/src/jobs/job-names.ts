import { pushJob, removeJob, saveJob, verifyJob } from './media-jobs.js';
import { refreshJob } from './refresh-job.js';
import { syncJob } from './sync-job.js';

/** All jobs there are. The worker has a handler for each, or it does not compile. */
export const jobs = {
  save: saveJob,
  verify: verifyJob,
  push: pushJob,
  remove: removeJob,
  refresh: refreshJob,
  sync: syncJob,
} as const;

export type JobName = keyof typeof jobs;
export type JobPayload<Name extends JobName> = ReturnType<(typeof jobs)[Name]['parse']>;

/** False for jobs that a newer version, or somebody else, has added. */
export function isJobName(name: string): name is JobName {
  return Object.hasOwn(jobs, name);
}
