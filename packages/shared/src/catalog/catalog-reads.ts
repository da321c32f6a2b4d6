import { mediaStatuses, resourceTypes, type MediaRecord, type MediaStatus } from '../media/index.js';
import { fromRedisError, inRequests, membersOf, type RedisClient, type RedisKeys } from '../redis/index.js';
import { decodeRecord, statusCode, typeCode, type StoredRecord } from './record-codec.js';
import type { ContentOf } from './index-entries.js';
import { lackingEntries } from './page-writes.js';
import { readBackScript } from './index-scripts.js';
import { indexSizes, sum } from './index-sizes.js';

/** How many records there are; those that are `deleting` count too, until their removal is confirmed. */
export interface CatalogCounts {
  total: number;
  /** Adds up to `total`. */
  byStatus: Record<MediaStatus, number>;
}

/** Everything that only reads single records and counts. Throws CATALOG_UNAVAILABLE when Redis cannot serve. */
export function catalogReads(redis: RedisClient, keys: RedisKeys) {
  const findStored = async (ids: readonly string[]): Promise<(StoredRecord | null)[]> => {
    try {
      // Sent together: one round trip.
      const parts = await Promise.all(
        inRequests(redis, ids).map((part) => redis.mget(part.map((id) => keys.record(id)))),
      );
      return parts.flat().map((text, index) => (text === null ? null : decodeRecord(ids[index] ?? '', text)));
    } catch (error) {
      throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
    }
  };
  const findTombstoned = async (ids: readonly string[]): Promise<Set<string>> => {
    try {
      return await membersOf(redis, keys.tombstones, ids);
    } catch (error) {
      throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
    }
  };
  return {
    find: async (id: string): Promise<MediaRecord | null> => (await findStored([id]))[0]?.record ?? null,
    /** In the order of the ids; null where there is no record. */
    findStored,
    /** These records, and how many index entries each lacks, as of one moment; null with a gap where there is none. */
    findWithGaps: async (
      ids: readonly string[],
    ): Promise<{ stored: StoredRecord | null; gaps: number }[]> => {
      try {
        const replies = await Promise.all(
          inRequests(redis, ids).map(async (part) => {
            const reply = await readBackScript(redis, [keys.prefix], part);
            const [texts, gaps] = reply as [(string | null)[], number[]];
            return part.map((id, index) => {
              const text = texts[index] ?? null;
              return { stored: text === null ? null : decodeRecord(id, text), gaps: gaps[index] ?? 1 };
            });
          }),
        );
        return replies.flat();
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
        indexSizes(
          redis,
          keys,
          resourceTypes.map((type) => keys.byType(typeCode[type])),
        ),
        indexSizes(
          redis,
          keys,
          counted.map((status) => keys.byStatus(statusCode[status])),
        ),
      ]);
      const total = sum(sizes);
      const byStatus = Object.fromEntries(
        counted.map((status, index) => [status, others[index] ?? 0]),
      ) as Record<MediaStatus, number>;
      return { total, byStatus: { ...byStatus, verified: total - sum(others) } };
    },
    isTombstoned: async (id: string): Promise<boolean> => (await findTombstoned([id])).has(id),
    /** Those of these ids that never come back. */
    findTombstoned,
  };
}
