import { queueNames, streamOptions } from '@holdfast/shared/jobs';
import { fromRedisError, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';

/**
 * Tells BullMQ how many events to keep of each queue. It would say so itself when a queue is opened, but only where Redis
 * is there at that moment, and never again after Redis was emptied; its own default costs megabytes.
 */
export async function shortenEventStreams(redis: RedisClient, keys: RedisKeys): Promise<void> {
  try {
    const pipeline = redis.pipeline();
    for (const queue of queueNames)
      pipeline.hset(keys.queue(queue, 'meta'), 'opts.maxLenEvents', streamOptions.streams.events.maxLen);
    for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
  } catch (error) {
    throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
  }
}
