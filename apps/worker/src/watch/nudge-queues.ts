import type { QueueName } from '@holdfast/shared/jobs';
import { fromRedisError, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';

/** BullMQ keeps the time of a delayed job in the upper bits of its score, a running number in the lower 12. */
export const SCORE_PER_MS = 0x1000;
/** Shorter than this the worker's own timer may still be on its way. */
const OVERDUE_MS = 1_000;

/**
 * Wakes idle workers: BullMQ's wake-up for a job goes to one connection and is lost with it, and a worker of ours
 * blocks for many minutes (docs/decisions/0008-our-own-watch.md). A needless nudge does no harm.
 */
export async function nudgeQueues(
  redis: RedisClient,
  keys: RedisKeys,
  queues: readonly QueueName[],
): Promise<void> {
  if (queues.length === 0) return;
  try {
    const pipeline = redis.pipeline();
    for (const queue of queues) pipeline.zadd(keys.queue(queue, 'marker'), 0, '0');
    for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
  } catch (error) {
    throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
  }
}

export interface DelayedLook {
  /** Those of the queues whose first delayed job should have started by now. */
  overdue: QueueName[];
  /** Those that have no delayed job. */
  empty: QueueName[];
}

/** One command for each of these queues. */
export async function lookAtDelayed(
  redis: RedisClient,
  keys: RedisKeys,
  queues: readonly QueueName[],
): Promise<DelayedLook> {
  try {
    const heads = await Promise.all(
      queues.map((queue) => redis.zrange(keys.queue(queue, 'delayed'), 0, '0', 'WITHSCORES')),
    );
    const latest = Date.now() - OVERDUE_MS;
    const startsAt = queues.map((queue, index) => {
      const score = heads[index]?.[1];
      return { queue, at: score === undefined ? null : Number(score) / SCORE_PER_MS };
    });
    return {
      overdue: startsAt.flatMap(({ queue, at }) => (at !== null && at < latest ? [queue] : [])),
      empty: startsAt.flatMap(({ queue, at }) => (at === null ? [queue] : [])),
    };
  } catch (error) {
    throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
  }
}
