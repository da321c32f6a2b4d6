import { createHash } from 'node:crypto';
import { HoldfastError } from '@holdfast/foundation/errors';
import {
  isMediaId,
  resourceTypes,
  type MediaRecord,
  type MediaStatus,
  type ResourceType,
} from '../media/index.js';
import { redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';
import { byCreation, indexSizes, pageAfter, sha256Place, type ListOrder, type Position } from './indexes.js';
import { catalogReads } from './reads.js';
import { statusCode, typeCode } from './record.js';

/** Which page of which records: of those that fit all the filters. */
export interface ListQuery {
  type?: ResourceType;
  category?: string;
  tag?: string;
  status?: MediaStatus;
  /** Lower-case hex. */
  sha256?: string;
  /** 1-100. */
  limit: number;
  /** By time of creation. */
  order: ListOrder;
  /** `nextCursor` of the page before, with the same order and filters; without it the first page. */
  cursor?: string;
}

type MediaFilters = Omit<ListQuery, 'limit' | 'order' | 'cursor'>;

/** The smallest index that holds all candidates for the filters; of no filter the three types together. */
interface Candidates {
  indexes: readonly string[];
  size: number;
  /** Only entries with this score, in the order of ids: copies of one file. */
  score?: number;
}

/** What one walk looks at, at most. A page that is not full by then is returned short, with a cursor. */
const LOOK_AT_MOST = 2_000;
const BYTES_AT_MOST = 4_000_000;
const LOOK_AT_ONCE = 200;
/** What several filters leave is counted exactly where the smallest of their sets has at most this many members. */
const COUNT_AT_MOST = 1_000;
/** Other bytes may have the same place in the index: so few copies are compared, more are what they seem to be. */
const COPIES_COMPARED = 100;

/**
 * Pages of the catalog in the order of creation. The cost depends on the size of the page, not of the catalog: the smallest
 * index of the filters is walked from the cursor, and the records are compared with the other filters.
 */
export function mediaListing(redis: RedisClient, keys: RedisKeys) {
  const { findStored, counts } = catalogReads(redis, keys);

  /**
   * One page. It may have fewer items than asked for, or none, while more remain: `nextCursor` is null on the last page. `total` is
   * exact, or null where counting would cost too much (several filters over large sets). Throws INVALID_CURSOR as well.
   */
  async function list({ limit, order, cursor, ...filters }: ListQuery) {
    const fingerprint = fingerprintOf(order, filters);
    const start = cursor === undefined ? null : decodeCursor(cursor, fingerprint);
    const candidates = await candidatesFor(filters);
    const { items, position, hasMore } = await find(candidates, filters, order, start, limit);
    return {
      // Ids are nearly in the order of creation, but not always.
      items: items.toSorted((a, b) => byCreation(order)(positionOf(a), positionOf(b))),
      nextCursor: hasMore && position !== null ? encodeCursor(position, fingerprint) : null,
      total: await countAll(filters, candidates),
    };
  }

  /** The next records, up to `limit`, that fit all the filters, and the last entry that was looked at. */
  async function find(
    { indexes, score }: Candidates,
    filters: MediaFilters,
    order: ListOrder,
    start: Position | null,
    limit: number,
  ) {
    const items: MediaRecord[] = [];
    let position = start;
    let hasMore = true;
    let lookedAt = 0;
    let bytes = 0;
    while (hasMore && items.length < limit && lookedAt < LOOK_AT_MOST && bytes < BYTES_AT_MOST) {
      // One more than needed tells whether there is a next page.
      const needed = limit - items.length + 1;
      const count =
        Object.keys(filters).length === 0 ? needed : Math.min(LOOK_AT_ONCE, Math.max(needed, lookedAt));
      const after = position ?? (score === undefined ? null : { createdMs: score, id: '' });
      const page = await pageAfter(redis, keys, indexes, { order, after, count });
      const positions = page.filter(({ createdMs }) => score === undefined || createdMs === score);
      hasMore = positions.length === count;
      const stored = await findStored(positions.map(({ id }) => id));
      for (const [index, entry] of stored.entries()) {
        if (items.length === limit) {
          hasMore = true;
          break;
        }
        position = positions[index] ?? null;
        lookedAt += 1;
        bytes += entry?.text.length ?? 0;
        if (entry !== null && matches(entry.record, filters)) items.push(entry.record);
      }
    }
    return { items, position, hasMore };
  }

  async function candidatesFor({ type, category, tag, status, sha256 }: MediaFilters): Promise<Candidates> {
    if (sha256 !== undefined) {
      const { key, score } = sha256Place(keys, sha256);
      const size = await redisEdge('CATALOG_UNAVAILABLE')(() => redis.zcount(key, score, score));
      return { indexes: [key], size, score };
    }
    const indexes: string[] = [];
    if (type !== undefined) indexes.push(keys.byType(typeCode[type]));
    if (category !== undefined) indexes.push(keys.byCategory(category));
    if (tag !== undefined) indexes.push(keys.byTag(tag));
    if (status !== undefined && status !== 'verified') indexes.push(keys.byStatus(statusCode[status]));
    if (indexes.length === 0)
      return {
        indexes: resourceTypes.map((one) => keys.byType(typeCode[one])),
        size: (await counts()).total,
      };
    const sizes = await indexSizes(redis, keys, indexes);
    const size = Math.min(...sizes);
    return { indexes: [indexes[sizes.indexOf(size)] ?? ''], size };
  }

  async function countAll(filters: MediaFilters, candidates: Candidates): Promise<number | null> {
    const { size } = candidates;
    const isExact = filters.sha256 === undefined || size > COPIES_COMPARED;
    if (Object.keys(filters).length <= 1 && isExact)
      return filters.status === 'verified' ? (await counts()).byStatus.verified : size;
    if (size > COUNT_AT_MOST) return null;
    const { items, hasMore } = await find(candidates, filters, 'oldest', null, COUNT_AT_MOST + 1);
    return hasMore ? null : items.length;
  }

  return { list };
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

function positionOf({ createdAt, id }: MediaRecord): Position {
  return { createdMs: Date.parse(createdAt), id };
}

/** A cursor is good for the order and the filters that it was made for, and for no others. */
function fingerprintOf(order: ListOrder, filters: MediaFilters): string {
  const parts = [order, filters.type, filters.category, filters.tag, filters.status, filters.sha256];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 8);
}

/** Opaque text for clients. */
function encodeCursor({ createdMs, id }: Position, fingerprint: string): string {
  return Buffer.from(`${String(createdMs)}.${id}.${fingerprint}`, 'utf8').toString('base64url');
}

/** Throws INVALID_CURSOR for text that is not one of ours, or was made for other filters. */
function decodeCursor(cursor: string, fingerprint: string): Position {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const [, createdMs, id = '', ofFilters] = /^(-?\d{1,16})\.([^.]*)\.([^.]*)$/.exec(text) ?? [];
  if (!isMediaId(id) || ofFilters !== fingerprint)
    throw new HoldfastError('INVALID_CURSOR', 'the cursor was not issued here, or belongs to other filters');
  return { createdMs: Number(createdMs), id };
}
