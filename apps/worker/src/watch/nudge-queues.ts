import { queueNames, type QueueName } from '@holdfast/shared/jobs';
import { fromRedisError, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import type { Sight } from './watched-keys.js';

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

/** Those whose first delayed job should have started by now. */
export function overdueQueues(delayed: Sight['delayed']): QueueName[] {
  const latest = Date.now() - OVERDUE_MS;
  return queueNames.filter((queue) => (delayed[queue] ?? Infinity) < latest);
}
