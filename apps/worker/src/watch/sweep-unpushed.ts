import { pushJob } from '@holdfast/shared/jobs';
import { fromRedisError } from '@holdfast/shared/redis';
import { RETRIED_AT_ONCE, retriedJobOptions, type RetryDependencies } from './retried-jobs.js';
import { retryRound } from './retry-round.js';

/** Edits that the host still lacks, though their job is gone or has given up: one more job, at growing distances. */
export async function sweepUnpushed({ redis, keys, catalog, queues }: RetryDependencies): Promise<void> {
  const listed = await redis
    .zrandmember(keys.unpushed, RETRIED_AT_ONCE, 'WITHSCORES')
    .catch((error: unknown) => {
      throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
    });
  const now = Date.now();
  const due = listed.flatMap((id, index) => {
    const round = index % 2 === 0 ? retryRound(now - Number(listed[index + 1])) : 0;
    return round === 0 ? [] : [{ id, round }];
  });
  const found = await catalog.findStored(due.map(({ id }) => id));
  for (const [index, { id, round }] of due.entries()) {
    const record = found[index]?.record;
    if (record === undefined) continue;
    await queues.add(pushJob, { id, revision: record.revision, round }, retriedJobOptions);
  }
}
