import type { Position } from '../catalog/list-cursor.js';
import { statusCode, typeCode } from '../catalog/record-codec.js';
import { pageScript } from '../catalog/scripts.js';
import type { ResourceType } from '../media/index.js';
import { fromRedisError, type RedisClient, type RedisKeys } from '../redis/index.js';
import { unseenScript } from './sync-scripts.js';

const CHUNK = 1_000;

interface Run {
  runId: string;
  lastSequence: number;
}

/**
 * The ids of settled records of one type that were there when the run began and that it has not met, oldest first.
 * Throws CATALOG_UNAVAILABLE.
 */
export function unseenRecords(
  redis: RedisClient,
  keys: RedisKeys,
  run: Run,
  resourceType: ResourceType,
): AsyncGenerator<string[]> {
  const index = keys.byType(typeCode[resourceType]);
  return walk(redis, keys, run, { index, statuses: statusCode.verified + statusCode.failed });
}

/** The same of records that are missing already. */
export function missingRecords(redis: RedisClient, keys: RedisKeys, run: Run): AsyncGenerator<string[]> {
  const index = keys.byStatus(statusCode.missing);
  return walk(redis, keys, run, { index, statuses: statusCode.missing });
}

/** Walks an index in chunks, so memory does not grow with the catalog. */
async function* walk(
  redis: RedisClient,
  keys: RedisKeys,
  run: Run,
  { index, statuses }: { index: string; statuses: string },
): AsyncGenerator<string[]> {
  const idsAfter = async ({ createdMs, id }: Position): Promise<Chunk> => {
    const flat = (await pageScript(redis, [keys.prefix, index], ['0', createdMs, id, CHUNK])) as string[];
    const ids = flat.filter((_, place) => place % 2 === 0);
    return { ids, last: { id: ids.at(-1) ?? '', createdMs: Number(flat.at(-1)) } };
  };
  const unseenOf = async (ids: readonly string[]): Promise<string[]> =>
    (await unseenScript(
      redis,
      [keys.prefix, keys.syncSeen(run.runId)],
      [run.lastSequence, statuses, ...ids],
    )) as string[];

  try {
    let chunk = await idsAfter({ createdMs: 0, id: '' });
    while (chunk.ids.length > 0) {
      // Sent together: one round trip for each chunk.
      const [unseen, next]: [string[], Chunk] = await Promise.all([
        unseenOf(chunk.ids),
        idsAfter(chunk.last),
      ]);
      if (unseen.length > 0) yield unseen;
      chunk = next;
    }
  } catch (error) {
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
}

interface Chunk {
  ids: string[];
  last: Position;
}
