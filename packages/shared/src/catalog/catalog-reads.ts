import { mediaStatuses, resourceTypes, type MediaRecord, type MediaStatus } from '../media/index.js';
import { fromRedisError, type RedisClient, type RedisKeys } from '../redis/index.js';
import { decodeRecord, statusCode, typeCode, type StoredRecord } from './record-codec.js';
import type { ContentOf } from './index-entries.js';
import { lackingEntries } from './page-writes.js';
import { indexGapsScript } from './scripts.js';

export interface CatalogCounts {
  total: number;
  byStatus: Record<MediaStatus, number>;
}

/** Everything that only reads single records and counts. Throws CATALOG_UNAVAILABLE when Redis cannot serve. */
export function catalogReads(redis: RedisClient, keys: RedisKeys) {
  const findStored = async (ids: readonly string[]): Promise<(StoredRecord | null)[]> => {
    if (ids.length === 0) return [];
    try {
      const stored = await redis.mget(ids.map((id) => keys.record(id)));
      return stored.map((text, index) => (text === null ? null : decodeRecord(ids[index] ?? '', text)));
    } catch (error) {
      throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
    }
  };
  return {
    find: async (id: string): Promise<MediaRecord | null> => (await findStored([id]))[0]?.record ?? null,
    /** In the order of the ids; null where there is no record. */
    findStored,
    /** How many index entries each of these records lacks; a record that is not there counts as one. */
    indexGaps: async (ids: readonly string[]): Promise<number[]> => {
      try {
        return (await indexGapsScript(redis, [keys.prefix], ids)) as number[];
      } catch (error) {
        throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
      }
    },
    /** The ids of those of these records that lack an index entry which the given content calls for. */
    lackingEntries: (records: readonly ContentOf[]): Promise<Set<string>> =>
      lackingEntries(redis, keys, records),
    /** Exact, from the sizes of the indexes. */
    counts: async (): Promise<CatalogCounts> => {
      const counted = mediaStatuses.filter((status) => status !== 'verified');
      const [sizes, others] = await Promise.all([
        cardinalities(
          redis,
          resourceTypes.map((type) => keys.byType(typeCode[type])),
        ),
        cardinalities(
          redis,
          counted.map((status) => keys.byStatus(statusCode[status])),
        ),
      ]);
      const total = sum(sizes);
      const byStatus = Object.fromEntries(
        counted.map((status, index) => [status, others[index] ?? 0]),
      ) as Record<MediaStatus, number>;
      return { total, byStatus: { ...byStatus, verified: total - sum(others) } };
    },
    isTombstoned: async (id: string): Promise<boolean> => {
      try {
        return (await redis.zscore(keys.tombstones, id)) !== null;
      } catch (error) {
        throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
      }
    },
  };
}

/** Sizes of sorted sets, in one round trip. */
export async function cardinalities(redis: RedisClient, setKeys: readonly string[]): Promise<number[]> {
  if (setKeys.length === 0) return [];
  try {
    const pipeline = redis.pipeline();
    for (const key of setKeys) pipeline.zcard(key);
    const replies = (await pipeline.exec()) ?? [];
    return replies.map(([error, size]) => {
      if (error) throw error;
      return size as number;
    });
  } catch (error) {
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, next) => total + next, 0);
}
