import { statusCode } from '@holdfast/shared/catalog';
import { removeJob } from '@holdfast/shared/jobs';
import { fromRedisError, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import { RETRIED_AT_ONCE, retriedJobOptions, type RetryDependencies } from './retried-jobs.js';
import { retryRound } from './retry-round.js';

/** Deletions that the host has not confirmed, though their job is gone or has given up: one more job, for days. */
export async function sweepDeleting({ redis, keys, catalog, queues }: RetryDependencies): Promise<void> {
  const { ids, deletedAt } = await readDeleting(redis, keys);
  const now = Date.now();
  const found = await catalog.findStored(ids);
  for (const [index, id] of ids.entries()) {
    const record = found[index]?.record;
    const round = retryRound(now - Number(deletedAt[index] ?? now));
    if (record === undefined || round === 0) continue;
    const { publicId, resourceType } = record;
    await queues.add(removeJob, { id, publicId, resourceType, round }, retriedJobOptions);
  }
}

async function readDeleting(
  redis: RedisClient,
  keys: RedisKeys,
): Promise<{ ids: string[]; deletedAt: (string | null)[] }> {
  try {
    const ids = await redis.zrandmember(keys.byStatus(statusCode.deleting), RETRIED_AT_ONCE);
    return { ids, deletedAt: ids.length === 0 ? [] : await redis.zmscore(keys.tombstones, ...ids) };
  } catch (error) {
    throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
  }
}
