import type { MediaRecord } from '../media/index.js';
import type { RedisClient, RedisKeys } from '../redis/index.js';
import { catalogReads } from './catalog-reads.js';
import { pageAfter } from './index-pages.js';
import { indexSizes, sum } from './index-sizes.js';
import { byCreation, decodeCursor, encodeCursor, type ListOrder, type Position } from './list-cursor.js';
import { fingerprint, matches, type MediaFilters } from './media-filters.js';
import { statusCode } from './record-codec.js';
import { COPIES_AT_MOST, indexOfBytes, recordsWithSha256 } from './records-of-bytes.js';
import { smallestIndex } from './smallest-index.js';

/** Which page of which records. */
export interface ListQuery extends MediaFilters {
  /** 1-100. */
  limit: number;
  /** By time of creation. */
  order: ListOrder;
  /** `nextCursor` of the page before, with the same order and filters; without it the first page. */
  cursor?: string;
}

/** One page of a listing. It may have fewer items than asked for, or none, while more remain. */
export interface MediaPage {
  items: MediaRecord[];
  /** Null on the last page. */
  nextCursor: string | null;
  /** Exact, or null where counting would cost too much (several filters over large sets). */
  total: number | null;
}

/** The entries that may be on a page. */
interface Walk {
  indexes: readonly string[];
  size: number;
  /** The place before all of them. */
  oldest: Position | null;
  from: Position | null;
  /** Entries of others end the walk. */
  has: (position: Position) => boolean;
  isAt: (record: MediaRecord, position: Position | null) => boolean;
}

interface Asked extends Pick<ListQuery, 'limit' | 'order'> {
  filters: MediaFilters;
  print: string;
  start: Position | null;
}

/** What one request looks at, at most; a page that is not full by then is returned short, with a cursor. */
const LOOK_AT_MOST = 2_000;
const BYTES_AT_MOST = 4_000_000;
/** Several filters are counted exactly when the smallest of their sets has at most this many members. */
const COUNT_AT_MOST = 1_000;
const LOOK_AT_ONCE = 200;

/**
 * Pages of the catalog in the order of creation. The cost depends on the size of the page, not of the catalog:
 * the smallest index of the filters is walked from the cursor, the other filters look at the records.
 */
export function mediaListing(redis: RedisClient, keys: RedisKeys) {
  const { findStored } = catalogReads(redis, keys);

  /** The smallest index of the filters, or that of checksums, which is in the order of ids. */
  const walkFor = async ({ filters, order, start }: Asked): Promise<Walk> => {
    if (filters.sha256 === undefined) {
      const { indexes, size } = await smallestIndex(redis, keys, filters);
      return { indexes, size, oldest: null, from: start, has: () => true, isAt };
    }
    const index = indexOfBytes(keys, filters.sha256);
    return {
      indexes: [index.key],
      size: await index.size(redis),
      oldest: index.after('oldest'),
      from: index.after(order, start?.id),
      has: index.has,
      isAt: () => true,
    };
  };

  const total = async (filters: MediaFilters, walk: Walk): Promise<number | null> => {
    const { indexes, size } = walk;
    const count = Object.values(filters).filter((value) => value !== undefined).length;
    if (count === 0) return size;
    if (count === 1 && filters.status === 'verified') {
      const others = Object.entries(statusCode).filter(([status]) => status !== 'verified');
      return (
        size -
        sum(
          await indexSizes(
            redis,
            keys,
            others.map(([, code]) => keys.byStatus(code)),
          ),
        )
      );
    }
    // Another file may have the same place in the index: few copies are compared, and many are taken for what they seem.
    const isExact = filters.sha256 === undefined || size > COPIES_AT_MOST;
    if (count === 1 && isExact) return size;
    if (size > COUNT_AT_MOST) return null;
    const page = { order: 'oldest', after: walk.oldest, count: COUNT_AT_MOST } as const;
    const all = (await pageAfter(redis, keys, indexes, page)).filter(walk.has);
    let found = 0;
    let bytes = 0;
    for (let first = 0; first < all.length; first += LOOK_AT_ONCE) {
      const stored = await findStored(all.slice(first, first + LOOK_AT_ONCE).map(({ id }) => id));
      bytes += sum(stored.map((entry) => entry?.text.length ?? 0));
      if (bytes > BYTES_AT_MOST) return null;
      found += stored.filter((entry) => entry !== null && matches(entry.record, filters)).length;
    }
    return found;
  };

  const pageOf = async (asked: Asked): Promise<MediaPage> => {
    const { limit, order, filters, print } = asked;
    const walk = await walkFor(asked);
    const items: MediaRecord[] = [];
    let position = walk.from;
    let lookedAt = 0;
    let bytes = 0;
    let more = true;
    const filtering = Object.values(filters).some((value) => value !== undefined);
    while (items.length < limit && lookedAt < LOOK_AT_MOST && bytes < BYTES_AT_MOST && more) {
      // One more than needed tells whether there is a next page.
      const wanted = filtering
        ? Math.max(limit - items.length + 1, Math.min(LOOK_AT_ONCE, lookedAt))
        : limit - items.length + 1;
      const page = { order, after: position, count: wanted };
      const positions = (await pageAfter(redis, keys, walk.indexes, page)).filter(walk.has);
      more = positions.length === wanted;
      const stored = await findStored(positions.map((entry) => entry.id));
      for (const [index, entry] of stored.entries()) {
        if (items.length === limit) {
          more = true;
          break;
        }
        position = positions[index] ?? position;
        lookedAt += 1;
        bytes += entry?.text.length ?? 0;
        if (entry !== null && walk.isAt(entry.record, position) && matches(entry.record, filters))
          items.push(entry.record);
      }
    }
    return {
      // Ids are nearly in the order of creation, but not always.
      items: items.toSorted((a, b) => byCreation(order)(positionOf(a), positionOf(b))),
      nextCursor: more && position !== null ? encodeCursor(position, print) : null,
      total: await total(filters, walk),
    };
  };

  return {
    /** The newest 100 with these bytes. */
    withSha256: (sha256: string): Promise<MediaRecord[]> => recordsWithSha256(redis, keys, sha256),
    /** Throws INVALID_CURSOR, CATALOG_UNAVAILABLE. */
    list: async ({ limit, order, cursor, ...filters }: ListQuery): Promise<MediaPage> => {
      const print = fingerprint(order, filters);
      const start = cursor === undefined ? null : decodeCursor(cursor, print);
      return pageOf({ limit, order, filters, print, start });
    },
  };
}

const positionOf = ({ createdAt, id }: MediaRecord): Position => ({ createdMs: Date.parse(createdAt), id });

/** An entry under another time is what a lost record has left: its own entry is elsewhere in the list. */
function isAt(record: MediaRecord, position: Position | null): boolean {
  return position?.createdMs === Date.parse(record.createdAt);
}
