import { redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';
import { indexRepair } from './indexes.js';
import { mediaListing } from './list-media.js';
import { catalogReads } from './reads.js';
import { tombstones } from './tombstones.js';
import { catalogWrites } from './writes.js';

/** The records of all media in Redis: an index of what the host has, which can be rebuilt from it. */
export function createCatalog(redis: RedisClient, keys: RedisKeys) {
  return {
    ...catalogReads(redis, keys),
    ...catalogWrites(redis, keys),
    ...mediaListing(redis, keys),
    ...indexRepair(redis, keys),
    ...tombstones(redis, keys),
    ...catalogEpoch(redis, keys),
  };
}

/** What `createCatalog` gives. Features that need a part of it take a `Pick`. */
export type Catalog = ReturnType<typeof createCatalog>;

/**
 * When this catalog began. A different time tells that Redis was emptied since, and so does its absence. Throws
 * CATALOG_UNAVAILABLE.
 */
export function catalogEpoch(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  return {
    /** Milliseconds since 1970; null while no process has begun the catalog. */
    epoch: (): Promise<string | null> => guarded(() => redis.get(keys.epoch)),
    /** Begins the catalog now, unless it has begun already. */
    noteEpoch: (nowMs: number): Promise<void> =>
      guarded(async () => {
        await redis.set(keys.epoch, nowMs, 'NX');
      }),
  };
}
