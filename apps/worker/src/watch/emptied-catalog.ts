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
    await syncRequests.recovery();
    await redis.set(keys.born, Date.now(), 'NX');
  } catch (error) {
    throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
  }
}
