export { GiveUp, HandBack } from './job-outcome.js';
export {
  isJobName,
  jobOptions,
  jobs,
  pushJob,
  queueNames,
  REFRESH_AT_ONCE,
  refreshJob,
  removeJob,
  saveJob,
  streamOptions,
  SYNC_SCHEDULE,
  syncJob,
  syncModes,
  syncTriggers,
  verifyJob,
  workerTimings,
  type JobDefinition,
  type JobName,
  type JobPayload,
  type QueueName,
  type RefreshPayload,
  type SyncMode,
  type SyncPayload,
  type SyncTrigger,
} from './jobs.js';
export { addJobsLua, backlogScript, type UploadJobs } from './jobs-in-scripts.js';
export { connectMediaQueues, type MediaQueues, type QueueCounts } from './queues.js';
