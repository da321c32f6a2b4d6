import type { MediaRecord } from '../media/index.js';
import { fromRedisError, type RedisClient, type RedisKeys } from '../redis/index.js';
import { catalogReads } from './catalog-reads.js';
import { sha256Place } from './sha256-place.js';

/** All records with these bytes, in no order; `sha256` in lower-case hex. Throws CATALOG_UNAVAILABLE. */
export async function recordsWithSha256(
  redis: RedisClient,
  keys: RedisKeys,
  sha256: string,
): Promise<MediaRecord[]> {
  try {
    const { bucket, score } = sha256Place(sha256);
    const ids = await redis.zrangebyscore(keys.bySha256(bucket), score, score);
    const stored = await catalogReads(redis, keys).findStored(ids);
    return stored.flatMap((entry) => (entry?.record.checksum.sha256 === sha256 ? [entry.record] : []));
  } catch (error) {
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
}
