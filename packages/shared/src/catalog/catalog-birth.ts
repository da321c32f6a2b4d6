import { redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';

/**
 * When this catalog began. It tells one catalog from the one before Redis was emptied, and its absence that Redis was.
 * Throws CATALOG_UNAVAILABLE.
 */
export function catalogBirth(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  return {
    /** Milliseconds since the epoch; null while nobody has begun the catalog. */
    bornAt: (): Promise<string | null> => guarded(() => redis.get(keys.born)),
    /** The catalog begins now, unless it has begun already. */
    noteBirth: (nowMs: number): Promise<void> =>
      guarded(async () => {
        await redis.set(keys.born, nowMs, 'NX');
      }),
  };
}
