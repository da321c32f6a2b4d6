import { SYNC_SCHEDULE, type MediaQueues } from '@holdfast/shared/jobs';
import { fromRedisError, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';

/** Longer than a worker takes to pick a job up that is due. */
const LATE_MS = 60_000;
const UNDER_WAY: readonly string[] = ['delayed', 'waiting', 'prioritized', 'active'];

/**
 * True where the recurring sync is long due and no job of it is there. BullMQ makes each of its jobs when the one before is
 * picked up: where Redis has lost that one, or what it is made from, there would never be another.
 */
export async function isScheduleLost(
  redis: RedisClient,
  keys: RedisKeys,
  { queues: { sync } }: Pick<MediaQueues, 'queues'>,
): Promise<boolean> {
  try {
    const due = await redis.zscore(keys.queue('sync', 'repeat'), SYNC_SCHEDULE);
    if (due === null || Number(due) > Date.now() - LATE_MS) return false;
    return !UNDER_WAY.includes(await sync.getJobState(`repeat:${SYNC_SCHEDULE}:${due}`));
  } catch (error) {
    throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
  }
}
