import type { RedisClient, RedisKeys } from '../redis/index.js';
import { catalogBirth } from './catalog-birth.js';
import { catalogReads } from './catalog-reads.js';
import { catalogWrites } from './catalog-writes.js';
import { mediaListing } from './list-media.js';
import { indexMending } from './mend-indexes.js';
import { takenInEdits } from './taken-in.js';
import { tombstones } from './tombstones.js';
import { unfinishedRecords } from './unfinished-records.js';

/** The records of all media in Redis: an index of what the host has, which can be rebuilt from it. */
export function createCatalog(redis: RedisClient, keys: RedisKeys) {
  return {
    ...catalogReads(redis, keys),
    ...catalogWrites(redis, keys),
    ...mediaListing(redis, keys),
    ...indexMending(redis, keys),
    ...takenInEdits(redis, keys),
    ...tombstones(redis, keys),
    ...unfinishedRecords(redis, keys),
    ...catalogBirth(redis, keys),
  };
}

/** What `createCatalog` gives. Whoever needs some of it takes a `Pick`. */
export type Catalog = ReturnType<typeof createCatalog>;
