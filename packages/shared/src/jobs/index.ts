export { ADD_JOB_KEYS, ADD_JOB_VALUES, addJobScript } from './add-job-script.js';
export { backlogScript } from './backlog-script.js';
export { queueNames, type JobDefinition, type QueueName } from './define-job.js';
export type { JobInsert } from './job-insert.js';
export { isJobName, jobs, type JobName, type JobPayload } from './job-names.js';
export { jobOptions, streamOptions, workerTimings } from './job-options.js';
export { GiveUp, HandBack } from './job-outcome.js';
export { pushJob, removeJob, saveJob, verifyJob } from './media-jobs.js';
export { connectMediaQueues, type MediaQueues, type QueueCounts } from './media-queues.js';
export { REFRESH_AT_ONCE, refreshJob, type RefreshPayload } from './refresh-job.js';
export {
  SYNC_SCHEDULE,
  syncJob,
  syncModes,
  syncTriggers,
  type SyncMode,
  type SyncPayload,
  type SyncTrigger,
} from './sync-job.js';
