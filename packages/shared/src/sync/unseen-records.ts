import type { Position } from '../catalog/list-cursor.js';
import { typeCode } from '../catalog/record-codec.js';
import { pageScript } from '../catalog/scripts.js';
import type { ResourceType } from '../media/index.js';
import { fromRedisError, type RedisClient, type RedisKeys } from '../redis/index.js';
import { unseenScript } from './sync-scripts.js';

const CHUNK = 500;

/**
 * The ids of settled records of one type that were there when the run began and that it has not met, oldest first.
 * Walks the index in chunks, so memory does not grow with the catalog. Throws CATALOG_UNAVAILABLE.
 */
export async function* unseenRecords(
  redis: RedisClient,
  keys: RedisKeys,
  run: { runId: string; lastSequence: number },
  resourceType: ResourceType,
): AsyncGenerator<string[]> {
  const index = keys.byType(typeCode[resourceType]);
  let after: Position = { createdMs: 0, id: '' };
  try {
    for (;;) {
      const flat = (await pageScript(
        redis,
        [keys.prefix, index],
        ['0', after.createdMs, after.id, CHUNK],
      )) as string[];
      const ids = flat.filter((_, place) => place % 2 === 0);
      const last = ids.at(-1);
      if (last === undefined) return;
      after = { id: last, createdMs: Number(flat.at(-1)) };
      const unseen = (await unseenScript(
        redis,
        [keys.prefix, keys.syncSeen(run.runId)],
        [run.lastSequence, ...ids],
      )) as string[];
      if (unseen.length > 0) yield unseen;
    }
  } catch (error) {
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
}
