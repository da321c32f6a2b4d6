import { catalogBirth } from '@holdfast/shared/catalog';
import type { Logger } from '@holdfast/shared/logging';
import { fromRedisError, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';

/** Longer than asking takes; whoever looks next after a crash asks again. */
const LEASE_MS = 10_000;

/**
 * Redis was emptied, or is new: no error tells, only the missing key. One process asks for a recovery, and only then
 * sets the key, so that a crash in between asks again.
 */
export async function greetEmptiedCatalog(
  redis: RedisClient,
  keys: RedisKeys,
  syncRequests: { recovery(): Promise<void> },
  log: Logger,
): Promise<void> {
  try {
    if ((await redis.set(keys.bornLease, 1, 'PX', LEASE_MS, 'NX')) === null) return;
    log.warn('watch.catalog_empty');
    try {
      await syncRequests.recovery();
    } catch (error) {
      // The connection of the queues may be back a moment after this one: whoever looks next asks again.
      await redis.del(keys.bornLease);
      throw error;
    }
    await catalogBirth(redis, keys).noteBirth(Date.now());
  } catch (error) {
    throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
  }
}
