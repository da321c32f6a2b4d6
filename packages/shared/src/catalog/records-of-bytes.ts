import type { MediaRecord } from '../media/index.js';
import { fromRedisError, type RedisClient, type RedisKeys } from '../redis/index.js';
import { catalogReads } from './catalog-reads.js';
import { membersAtScript } from './index-scripts.js';
import { sha256Score } from './sha256-score.js';

/** All records with these bytes, in no order; `sha256` in lower-case hex. Throws CATALOG_UNAVAILABLE. */
export async function recordsWithSha256(
  redis: RedisClient,
  keys: RedisKeys,
  sha256: string,
): Promise<MediaRecord[]> {
  try {
    const index = [keys.prefix, keys.bySha256];
    const ids = (await membersAtScript(redis, index, [sha256Score(sha256)])) as string[];
    const stored = await catalogReads(redis, keys).findStored(ids);
    return stored.flatMap((entry) => (entry?.record.checksum.sha256 === sha256 ? [entry.record] : []));
  } catch (error) {
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
}
