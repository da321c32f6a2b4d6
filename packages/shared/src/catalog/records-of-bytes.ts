import type { MediaRecord } from '../media/index.js';
import { fromRedisError, type RedisClient, type RedisKeys } from '../redis/index.js';
import { catalogReads } from './catalog-reads.js';
import { sha256Place } from './packed-hex.js';

/** All records with these bytes, in no order; `sha256` in lower-case hex. Throws CATALOG_UNAVAILABLE. */
export async function recordsWithSha256(
  redis: RedisClient,
  keys: RedisKeys,
  sha256: string,
): Promise<MediaRecord[]> {
  try {
    const { bucket, start } = sha256Place(sha256);
    const members = await redis.zrangebylex(keys.bySha256(bucket), `[${start}:`, `(${start};`);
    const stored = await catalogReads(redis, keys).findStored(
      members.map((member) => member.slice(start.length + 1)),
    );
    return stored.flatMap((entry) => (entry?.record.checksum.sha256 === sha256 ? [entry.record] : []));
  } catch (error) {
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
}
