import type { Logger } from '@holdfast/shared/logging';
import { fromRedisError, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';

/**
 * Redis was emptied, or is new: no error tells, only the missing key. Asks for a recovery, and only then sets the key,
 * so that a crash in between asks again. Several processes may ask: the requests are merged.
 */
export async function greetEmptiedCatalog(
  redis: RedisClient,
  keys: RedisKeys,
  syncRequests: { recovery(): Promise<void> },
  log: Logger,
): Promise<void> {
  log.warn('watch.catalog_empty');
  await syncRequests.recovery();
  try {
    await redis.set(keys.born, Date.now(), 'NX');
  } catch (error) {
    throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
  }
}
