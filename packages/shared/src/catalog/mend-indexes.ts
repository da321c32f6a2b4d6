import { resourceTypes } from '../media/index.js';
import { inRequests, profileOfClient, redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';
import { countArguments, scarceEntriesScript } from './entry-counts.js';
import { bytesOfRecord, type ContentOf } from './index-entries.js';
import { pageAfter } from './index-pages.js';
import {
  dropStraysScript,
  dropUncalledScript,
  indexGapsScript,
  reindexScript,
  someKeysScript,
} from './index-scripts.js';
import type { Position } from './list-cursor.js';
import { lackingEntries } from './page-writes.js';
import { statusCode, typeCode } from './record-codec.js';

/** As many records as one script may read while others wait for Redis. */
const BATCH = 500;

const guarded = redisEdge('CATALOG_UNAVAILABLE');

/**
 * Makes up for keys that Redis lost: the indexes are rebuilt from the records. Each step looks at what is there in the moment it
 * writes, so all of it may run at any time, and twice. All answer how many entries were lacking. What takes long rejects with the
 * reason of its signal once that aborts. Throws CATALOG_UNAVAILABLE.
 */
export function indexMending(redis: RedisClient, keys: RedisKeys) {
  const batchSize = Math.min(BATCH, profileOfClient(redis).recordsAtOnce);
  const reindex = async (ids: readonly string[]): Promise<number> => {
    if (ids.length === 0) return 0;
    return Number(await guarded(() => reindexScript(redis, [keys.prefix], ids)));
  };
  const lackingAny = async (ids: readonly string[]): Promise<string[]> => {
    if (ids.length === 0) return [];
    const gaps = (await guarded(() => indexGapsScript(redis, [keys.prefix], ids))) as number[];
    return ids.filter((_, index) => (gaps[index] ?? 0) > 0);
  };
  const dropStrays = (index: string, batch: readonly Position[]): Promise<string[]> => {
    const entries = batch.flatMap(({ createdMs, id }) => [createdMs, id]);
    return guarded(() => dropStraysScript(redis, [keys.prefix, index], entries)) as Promise<string[]>;
  };

  const walk = async (index: string, signal: AbortSignal): Promise<number> => {
    const next = (after: Position | null): Promise<Position[]> =>
      pageAfter(redis, keys, [index], { order: 'oldest', after, count: batchSize });
    let mended = 0;
    let batch = await next(null);
    while (batch.length > 0) {
      signal.throwIfAborted();
      // Sent together: what is dropped from a batch does not move the place where the next one begins.
      const [suspects, following]: [string[], Position[]] = await Promise.all([
        dropStrays(index, batch),
        next(batch.at(-1) ?? null),
      ]);
      mended += await reindex(await lackingAny(suspects));
      batch = following;
    }
    return mended;
  };

  const eachKey = async (
    start: string,
    signal: AbortSignal,
    visit: (keys: readonly string[]) => Promise<void>,
  ): Promise<void> => {
    const pattern = start.replaceAll(/[\\?*[\]^-]/g, '\\$&') + '*';
    let cursor = '0';
    do {
      signal.throwIfAborted();
      const at = cursor;
      const [next = '0', ...found] = (await guarded(() =>
        someKeysScript(redis, [keys.prefix], [at, pattern, batchSize]),
      )) as string[];
      await visit(found);
      cursor = next;
    } while (cursor !== '0');
  };
  /** All entries of all records. Only this and what uses it takes longer the more else is in this Redis. */
  const mendAll = async (signal: AbortSignal): Promise<number> => {
    const start = keys.record('');
    let mended = 0;
    await eachKey(start, signal, async (found) => {
      mended += await reindex(await lackingAny(found.map((key) => key.slice(start.length))));
    });
    return mended;
  };
  const dropUncalled = async (index: string, signal: AbortSignal): Promise<number> => {
    let dropped = 0;
    let after: Position | null = null;
    for (;;) {
      signal.throwIfAborted();
      const batch: Position[] = await pageAfter(redis, keys, [index], {
        order: 'oldest',
        after,
        count: batchSize,
      });
      if (batch.length === 0) return dropped;
      const entries = batch.flatMap(({ createdMs, id }) => [createdMs, id]);
      dropped += Number(await guarded(() => dropUncalledScript(redis, [keys.prefix, index], entries)));
      after = batch.at(-1) ?? null;
    }
  };

  return {
    /** The entries of these records, that of the status apart. */
    mendEntries: async (records: readonly ContentOf[]): Promise<number> => {
      let mended = 0;
      for (const part of inRequests(redis, records, bytesOfRecord)) {
        const counted = countArguments(keys, part);
        if ((await guarded(() => scarceEntriesScript(redis, [keys.prefix], counted))) === 0) continue;
        mended += await reindex([...(await lackingEntries(redis, keys, part))]);
      }
      return mended;
    },
    /** The entries of statuses, all entries of records that are not verified, and what lost records left in both and in the types. */
    mendStatuses: async (signal: AbortSignal): Promise<number> => {
      const types = resourceTypes.map((type) => keys.byType(typeCode[type]));
      const statuses = Object.entries(statusCode).filter(([status]) => status !== 'verified');
      let mended = 0;
      for (const index of [...types, ...statuses.map(([, code]) => keys.byStatus(code))])
        mended += await walk(index, signal);
      return mended;
    },
    mendAll,
    /**
     * Every entry of every index: adds what records lack, and drops what no record calls for. Takes as long as Redis is large, like
     * `mendAll`.
     */
    rebuildIndexes: async (signal: AbortSignal): Promise<{ added: number; dropped: number }> => {
      const added = await mendAll(signal);
      let dropped = 0;
      for (const indexOf of [keys.byType, keys.byStatus, keys.byCategory, keys.byTag, keys.bySha256])
        await eachKey(indexOf(''), signal, async (indexes) => {
          for (const index of indexes) dropped += await dropUncalled(index, signal);
        });
      return { added, dropped };
    },
  };
}
