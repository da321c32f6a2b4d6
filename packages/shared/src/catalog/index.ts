import type { RedisClient, RedisKeys } from '../redis/index.js';
import { indexRepair } from './indexes.js';
import { mediaListing } from './list-media.js';
import { catalogReads } from './reads.js';
import { catalogWrites } from './writes.js';

export * from './indexes.js';
export * from './list-media.js';
export * from './reads.js';
export * from './record.js';
export * from './writes.js';

/**
 * The records of all media in Redis: an index of what the host has, which can be rebuilt from it. Every function throws
 * CATALOG_UNAVAILABLE when Redis cannot serve.
 */
export function createCatalog(redis: RedisClient, keys: RedisKeys) {
  return {
    ...catalogReads(redis, keys),
    ...catalogWrites(redis, keys),
    ...mediaListing(redis, keys),
    ...indexRepair(redis, keys),
  };
}

/** What `createCatalog` gives. Features that need a part of it take a `Pick`. */
export type Catalog = ReturnType<typeof createCatalog>;
