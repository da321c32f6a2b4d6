import { pushJob } from '@holdfast/shared/jobs';
import { dueAgain, RETRIED_AT_ONCE, retriedJobOptions, type RetryDependencies } from './retried-jobs.js';

/** Edits that the host still lacks, though their job is gone or has given up: one more job, at growing distances. */
export async function sweepUnpushed({ catalog, queues }: RetryDependencies): Promise<void> {
  for (const { record, round } of await dueAgain(await catalog.drawUnpushed(RETRIED_AT_ONCE), catalog))
    await queues.add(pushJob, { id: record.id, revision: record.revision, round }, retriedJobOptions);
}
