import type { MediaRecord } from '../media/index.js';
import { redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';
import { catalogReads } from './catalog-reads.js';
import { pageAfter } from './index-pages.js';
import type { ListOrder, Position } from './list-cursor.js';
import { sha256Place } from './sha256-place.js';

/** Where the records with these bytes are listed, by their ids; `sha256` in lower-case hex. */
export function indexOfBytes(keys: RedisKeys, sha256: string) {
  const { bucket, score } = sha256Place(sha256);
  const key = keys.bySha256(bucket);
  return {
    key,
    /** How many entries there are. Throws CATALOG_UNAVAILABLE. */
    size: (redis: RedisClient): Promise<number> =>
      redisEdge('CATALOG_UNAVAILABLE')(() => redis.zcount(key, score, score)),
    /** The place after this id; without one the place before all of them. */
    after: (order: ListOrder, id?: string): Position => ({
      createdMs: score,
      // No id begins with a character below the first or above the second.
      id: id ?? (order === 'oldest' ? '!' : '~'),
    }),
    /** The bucket holds entries of other bytes before and after ours. */
    has: (position: Position): boolean => position.createdMs === score,
  };
}

/** However many copies there are, so many are enough to find one that a client may be given. */
export const COPIES_AT_MOST = 100;

/** The newest 100 records with these bytes; `sha256` in lower-case hex. Throws CATALOG_UNAVAILABLE. */
export async function recordsWithSha256(
  redis: RedisClient,
  keys: RedisKeys,
  sha256: string,
): Promise<MediaRecord[]> {
  const index = indexOfBytes(keys, sha256);
  const page = { order: 'newest', after: index.after('newest'), count: COPIES_AT_MOST } as const;
  const positions = (await pageAfter(redis, keys, [index.key], page)).filter(index.has);
  const stored = await catalogReads(redis, keys).findStored(positions.map(({ id }) => id));
  return stored.flatMap((entry) => (entry?.record.checksum.sha256 === sha256 ? [entry.record] : []));
}
