import { createHash } from 'node:crypto';
import { resourceTypes, type MediaRecord, type MediaStatus, type ResourceType } from '../media/index.js';
import { fromRedisError, type RedisClient, type RedisKeys } from '../redis/index.js';
import { cardinalities, catalogReads, sum } from './catalog-reads.js';
import { decodeCursor, encodeCursor, type Position } from './list-cursor.js';
import { sha256Place } from './packed-hex.js';
import { statusCode, typeCode } from './record-codec.js';
import { pageScript } from './scripts.js';

export interface MediaFilters {
  type?: ResourceType;
  category?: string;
  tag?: string;
  status?: MediaStatus;
  /** Lower-case hex. */
  sha256?: string;
}

export interface ListQuery extends MediaFilters {
  /** 1-100. */
  limit: number;
  order: 'newest' | 'oldest';
  cursor?: string;
}

export interface MediaPage {
  items: MediaRecord[];
  nextCursor: string | null;
  /** Exact, or null where counting would cost too much (several filters over large sets). */
  total: number | null;
}

/** Records looked at in one request at most; a page that is not full by then is returned short, with a cursor. */
const LOOK_AT_MOST = 2_000;
/** Several filters are counted exactly when the smallest of their sets has at most this many members. */
const COUNT_AT_MOST = 1_000;
const CHUNK = 200;

/**
 * Pages of the catalog in the order of creation. The cost depends on the size of the page, not of the catalog:
 * the smallest index of the filters is walked from the cursor, the other filters look at the records.
 */
export function mediaListing(redis: RedisClient, keys: RedisKeys) {
  const { findStored } = catalogReads(redis, keys);

  const pageAfter = async (
    indexes: readonly string[],
    order: ListQuery['order'],
    after: Position | null,
    count: number,
  ): Promise<Position[]> => {
    try {
      const args = [order === 'newest' ? '1' : '0', after?.createdMs ?? 0, after?.id ?? '', count];
      const pages = (await Promise.all(
        indexes.map((key) => pageScript(redis, [keys.prefix, key], args)),
      )) as string[][];
      return pages.flatMap(toPositions).toSorted(byCreation(order)).slice(0, count);
    } catch (error) {
      throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
    }
  };

  const everyType = resourceTypes.map((type) => keys.byType(typeCode[type]));

  /** The indexes that hold all candidates, with the number of them. */
  const smallestIndex = async (
    filters: MediaFilters,
  ): Promise<{ indexes: readonly string[]; size: number }> => {
    const candidates: string[] = [];
    if (filters.type !== undefined) candidates.push(keys.byType(typeCode[filters.type]));
    if (filters.category !== undefined) candidates.push(keys.byCategory(filters.category));
    if (filters.tag !== undefined) candidates.push(keys.byTag(filters.tag));
    if (filters.status !== undefined && filters.status !== 'verified')
      candidates.push(keys.byStatus(statusCode[filters.status]));
    if (candidates.length === 0)
      return { indexes: everyType, size: sum(await cardinalities(redis, everyType)) };
    const sizes = await cardinalities(redis, candidates);
    const size = Math.min(...sizes);
    return { indexes: [candidates[sizes.indexOf(size)] ?? ''], size };
  };

  const total = async (
    filters: MediaFilters,
    indexes: readonly string[],
    size: number,
  ): Promise<number | null> => {
    const count = Object.values(filters).filter((value) => value !== undefined).length;
    if (count === 0) return size;
    if (count === 1 && filters.status === 'verified') {
      const others = Object.entries(statusCode).filter(([status]) => status !== 'verified');
      return (
        size -
        sum(
          await cardinalities(
            redis,
            others.map(([, code]) => keys.byStatus(code)),
          ),
        )
      );
    }
    if (count === 1) return size;
    if (size > COUNT_AT_MOST) return null;
    const all = await pageAfter(indexes, 'oldest', null, COUNT_AT_MOST);
    const stored = await findStored(all.map((position) => position.id));
    return stored.filter((entry) => entry !== null && matches(entry.record, filters)).length;
  };

  /** All records with these bytes; they are few, so they are sorted here. */
  const withSha256 = async (sha256: string): Promise<MediaRecord[]> => {
    try {
      const { bucket, start } = sha256Place(sha256);
      const members = await redis.zrangebylex(keys.bySha256(bucket), `[${start}:`, `(${start};`);
      const stored = await findStored(members.map((member) => member.slice(start.length + 1)));
      return stored.flatMap((entry) => (entry?.record.checksum.sha256 === sha256 ? [entry.record] : []));
    } catch (error) {
      throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
    }
  };

  return {
    withSha256,
    /** Throws INVALID_CURSOR, CATALOG_UNAVAILABLE. */
    list: async ({ limit, order, cursor, ...filters }: ListQuery): Promise<MediaPage> => {
      const print = fingerprint(order, filters);
      const start = cursor === undefined ? null : decodeCursor(cursor, print);
      if (filters.sha256 !== undefined) {
        const found = (await withSha256(filters.sha256)).filter((record) => matches(record, filters));
        const rest = found
          .map((record) => ({ record, createdMs: Date.parse(record.createdAt), id: record.id }))
          .toSorted(byCreation(order))
          .filter((entry) => start === null || byCreation(order)(start, entry) < 0);
        const items = rest.slice(0, limit);
        const last = items.at(-1);
        return {
          items: items.map((entry) => entry.record),
          nextCursor: rest.length > limit && last !== undefined ? encodeCursor(last, print) : null,
          total: found.length,
        };
      }
      const { indexes, size } = await smallestIndex(filters);
      const items: MediaRecord[] = [];
      let position = start;
      let lookedAt = 0;
      let more = true;
      const filtering = Object.values(filters).some((value) => value !== undefined);
      while (items.length < limit && lookedAt < LOOK_AT_MOST && more) {
        // One more than needed tells whether there is a next page.
        const wanted = filtering
          ? Math.max(limit - items.length + 1, Math.min(CHUNK, lookedAt))
          : limit - items.length + 1;
        const positions = await pageAfter(indexes, order, position, wanted);
        more = positions.length === wanted;
        const stored = await findStored(positions.map((entry) => entry.id));
        for (const [index, entry] of stored.entries()) {
          if (items.length === limit) {
            more = true;
            break;
          }
          position = positions[index] ?? position;
          lookedAt += 1;
          if (entry !== null && matches(entry.record, filters)) items.push(entry.record);
        }
      }
      return {
        items,
        nextCursor: more && position !== null ? encodeCursor(position, print) : null,
        total: await total(filters, indexes, size),
      };
    },
  };
}

function matches(record: MediaRecord, filters: MediaFilters): boolean {
  return (
    (filters.type === undefined || record.resourceType === filters.type) &&
    (filters.category === undefined || record.category === filters.category) &&
    (filters.tag === undefined || record.tags.includes(filters.tag)) &&
    (filters.status === undefined || record.status === filters.status) &&
    (filters.sha256 === undefined || record.checksum.sha256 === filters.sha256)
  );
}

function toPositions(flat: readonly string[]): Position[] {
  const positions: Position[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) {
    positions.push({ id: flat[index] ?? '', createdMs: Number(flat[index + 1]) });
  }
  return positions;
}

/** The order of the indexes: by creation time, then by id as bytes. */
function byCreation(order: ListQuery['order']): (a: Position, b: Position) => number {
  const sign = order === 'newest' ? -1 : 1;
  return (a, b) => sign * (a.createdMs - b.createdMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

function fingerprint(order: string, filters: MediaFilters): string {
  const parts = [order, filters.type, filters.category, filters.tag, filters.status, filters.sha256];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 8);
}
