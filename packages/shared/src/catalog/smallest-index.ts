import { resourceTypes } from '../media/index.js';
import type { RedisClient, RedisKeys } from '../redis/index.js';
import { indexSizes, sum } from './index-sizes.js';
import type { MediaFilters } from './media-filters.js';
import { statusCode, typeCode } from './record-codec.js';

/** The indexes that hold all candidates for these filters, and how many there are in them. Throws CATALOG_UNAVAILABLE. */
export async function smallestIndex(
  redis: RedisClient,
  keys: RedisKeys,
  filters: MediaFilters,
): Promise<{ indexes: readonly string[]; size: number }> {
  const everyType = resourceTypes.map((type) => keys.byType(typeCode[type]));
  const candidates: string[] = [];
  if (filters.type !== undefined) candidates.push(keys.byType(typeCode[filters.type]));
  if (filters.category !== undefined) candidates.push(keys.byCategory(filters.category));
  if (filters.tag !== undefined) candidates.push(keys.byTag(filters.tag));
  if (filters.status !== undefined && filters.status !== 'verified')
    candidates.push(keys.byStatus(statusCode[filters.status]));
  if (candidates.length === 0)
    return { indexes: everyType, size: sum(await indexSizes(redis, keys, everyType)) };
  const sizes = await indexSizes(redis, keys, candidates);
  const size = Math.min(...sizes);
  return { indexes: [candidates[sizes.indexOf(size)] ?? ''], size };
}
