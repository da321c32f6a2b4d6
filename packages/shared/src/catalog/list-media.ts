import type { MediaRecord } from '../media/index.js';
import type { RedisClient, RedisKeys } from '../redis/index.js';
import { catalogReads } from './catalog-reads.js';
import { pageAfter } from './index-pages.js';
import { indexSizes, sum } from './index-sizes.js';
import { byCreation, decodeCursor, encodeCursor, type ListOrder, type Position } from './list-cursor.js';
import { fingerprint, matches, type MediaFilters } from './media-filters.js';
import { statusCode } from './record-codec.js';
import { recordsWithSha256 } from './records-of-bytes.js';
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

interface Asked extends Pick<ListQuery, 'limit' | 'order'> {
  filters: MediaFilters;
  print: string;
  start: Position | null;
}

/** Records looked at in one request at most; a page that is not full by then is returned short, with a cursor. */
const LOOK_AT_MOST = 2_000;
/** Several filters are counted exactly when the smallest of their sets has at most this many members. */
const COUNT_AT_MOST = 1_000;
const LOOK_AT_ONCE = 200;

/**
 * Pages of the catalog in the order of creation. The cost depends on the size of the page, not of the catalog:
 * the smallest index of the filters is walked from the cursor, the other filters look at the records.
 */
export function mediaListing(redis: RedisClient, keys: RedisKeys) {
  const { findStored } = catalogReads(redis, keys);

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
          await indexSizes(
            redis,
            keys,
            others.map(([, code]) => keys.byStatus(code)),
          ),
        )
      );
    }
    if (count === 1) return size;
    if (size > COUNT_AT_MOST) return null;
    const all = await pageAfter(redis, keys, indexes, {
      order: 'oldest',
      after: null,
      count: COUNT_AT_MOST,
    });
    const stored = await findStored(all.map((position) => position.id));
    return stored.filter((entry) => entry !== null && matches(entry.record, filters)).length;
  };

  const withSha256 = (sha256: string): Promise<MediaRecord[]> => recordsWithSha256(redis, keys, sha256);

  /** Records with the same bytes are few, so all of them are looked at. */
  const pageOfBytes = async ({ limit, order, filters, print, start }: Asked): Promise<MediaPage> => {
    const found = (await withSha256(filters.sha256 ?? '')).filter((record) => matches(record, filters));
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
  };

  const pageOfIndex = async ({ limit, order, filters, print, start }: Asked): Promise<MediaPage> => {
    const { indexes, size } = await smallestIndex(redis, keys, filters);
    const items: MediaRecord[] = [];
    let position = start;
    let lookedAt = 0;
    let more = true;
    const filtering = Object.values(filters).some((value) => value !== undefined);
    while (items.length < limit && lookedAt < LOOK_AT_MOST && more) {
      // One more than needed tells whether there is a next page.
      const wanted = filtering
        ? Math.max(limit - items.length + 1, Math.min(LOOK_AT_ONCE, lookedAt))
        : limit - items.length + 1;
      const positions = await pageAfter(redis, keys, indexes, { order, after: position, count: wanted });
      more = positions.length === wanted;
      const stored = await findStored(positions.map((entry) => entry.id));
      for (const [index, entry] of stored.entries()) {
        if (items.length === limit) {
          more = true;
          break;
        }
        position = positions[index] ?? position;
        lookedAt += 1;
        if (entry !== null && isAt(entry.record, position) && matches(entry.record, filters))
          items.push(entry.record);
      }
    }
    return {
      items,
      nextCursor: more && position !== null ? encodeCursor(position, print) : null,
      total: await total(filters, indexes, size),
    };
  };

  return {
    withSha256,
    /** Throws INVALID_CURSOR, CATALOG_UNAVAILABLE. */
    list: async ({ limit, order, cursor, ...filters }: ListQuery): Promise<MediaPage> => {
      const print = fingerprint(order, filters);
      const start = cursor === undefined ? null : decodeCursor(cursor, print);
      const asked = { limit, order, filters, print, start };
      return filters.sha256 === undefined ? pageOfIndex(asked) : pageOfBytes(asked);
    },
  };
}

/** An entry under another time is what a lost record has left: its own entry is elsewhere in the list. */
function isAt(record: MediaRecord, position: Position | null): boolean {
  return position?.createdMs === Date.parse(record.createdAt);
}
