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

/** The name of a job that this version knows; what comes from Redis is told by `isJobName`. */
export type JobName = keyof typeof jobs;
/** What the handler of such a job is given: its data as checked on arrival, with the defaults filled in. */
export type JobPayload<Name extends JobName> = ReturnType<(typeof jobs)[Name]['parse']>;

/** False for jobs that a newer version, or somebody else, has added. */
export function isJobName(name: string): name is JobName {
  return Object.hasOwn(jobs, name);
}
