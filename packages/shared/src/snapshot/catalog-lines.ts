import { catalogReads, pageAfter, typeCode, type Position, type StoredRecord } from '../catalog/index.js';
import { resourceTypes } from '../media/index.js';
import { fromRedisError, membersOf, type RedisClient, type RedisKeys } from '../redis/index.js';
import { encodeRecord, encodeTombstone } from './snapshot-lines.js';

/** What has been given so far. */
export interface LineCounts {
  records: number;
  tombstones: number;
}

const BATCH = 500;

/**
 * The catalog as lines, in batches, so that memory does not grow with it: tombstones first, then the records, oldest
 * first. Records whose upload is not acknowledged yet are left out. Counts into `counts`. Throws CATALOG_UNAVAILABLE.
 */
export async function* catalogLines(
  redis: RedisClient,
  keys: RedisKeys,
  counts: LineCounts,
): AsyncGenerator<string[]> {
  try {
    yield* tombstoneLines(redis, keys, counts);
    for (const type of resourceTypes) yield* recordLines(redis, keys, typeCode[type], counts);
  } catch (error) {
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
}

/** By rank: while others are added, at the end, none moves. */
async function* tombstoneLines(
  redis: RedisClient,
  keys: RedisKeys,
  counts: LineCounts,
): AsyncGenerator<string[]> {
  for (let start = 0; ; start += BATCH) {
    const flat = await redis.zrange(keys.tombstones, String(start), String(start + BATCH - 1), 'WITHSCORES');
    if (flat.length === 0) return;
    const lines: string[] = [];
    for (let index = 0; index + 1 < flat.length; index += 2)
      lines.push(encodeTombstone(flat[index] ?? '', flat[index + 1] ?? '0'));
    counts.tombstones += lines.length;
    yield lines;
  }
}

async function* recordLines(
  redis: RedisClient,
  keys: RedisKeys,
  code: string,
  counts: LineCounts,
): AsyncGenerator<string[]> {
  const { findStored } = catalogReads(redis, keys);
  const index = keys.byType(code);
  const next = (after: Position | null): Promise<Position[]> =>
    pageAfter(redis, keys, [index], { order: 'oldest', after, count: BATCH });

  let batch = await next(null);
  while (batch.length > 0) {
    // Sent together: one round trip for each batch.
    const [stored, following]: [(StoredRecord | null)[], Position[]] = await Promise.all([
      findStored(batch.map(({ id }) => id)),
      next(batch.at(-1) ?? null),
    ]);
    const found = stored.filter((entry) => entry !== null);
    const unsettled = await inHand(redis, keys, found);
    const lines = found.filter(({ id }) => !unsettled.has(id)).map(encodeRecord);
    counts.records += lines.length;
    if (lines.length > 0) yield lines;
    batch = following;
  }
}

/** Those whose upload may still be undone. */
function inHand(redis: RedisClient, keys: RedisKeys, found: readonly StoredRecord[]): Promise<Set<string>> {
  const open = found.filter(({ status }) => status === 'saving' || status === 'deferred').map(({ id }) => id);
  return membersOf(redis, keys.intents, open);
}
