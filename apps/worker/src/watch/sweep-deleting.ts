import { removeJob } from '@holdfast/shared/jobs';
import { dueAgain, RETRIED_AT_ONCE, retriedJobOptions, type RetryDependencies } from './retried-jobs.js';

/** Deletions that the host has not confirmed, though their job is gone or has given up: one more job, at growing distances. */
export async function sweepDeleting({ catalog, queues }: RetryDependencies): Promise<void> {
  for (const { record, round } of await dueAgain(await catalog.drawDeleting(RETRIED_AT_ONCE), catalog)) {
    const { id, publicId, resourceType } = record;
    await queues.add(removeJob, { id, publicId, resourceType, round }, retriedJobOptions);
  }
}
