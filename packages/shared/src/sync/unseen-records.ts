import { pageAfter, statusCode, typeCode, type Position } from '../catalog/index.js';
import { recordLua } from '../catalog/lua.js';
import type { ResourceType } from '../media/index.js';
import {
  defineScript,
  fromRedisError,
  profileOfClient,
  type RedisClient,
  type RedisKeys,
} from '../redis/index.js';

const BATCH = 1_000;

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

/** Walks an index in batches, so memory does not grow with the catalog. */
async function* walk(
  redis: RedisClient,
  keys: RedisKeys,
  run: Run,
  { index, statuses }: { index: string; statuses: string },
): AsyncGenerator<string[]> {
  const count = Math.min(BATCH, profileOfClient(redis).recordsAtOnce);
  const next = (after: Position | null): Promise<Position[]> =>
    pageAfter(redis, keys, [index], { order: 'oldest', after, count });
  const unseenOf = async (batch: readonly Position[]): Promise<string[]> =>
    (await unseenScript(
      redis,
      [keys.prefix, keys.syncSeen(run.runId)],
      [run.lastSequence, statuses, ...batch.map(({ id }) => id)],
    )) as string[];

  try {
    let batch = await next(null);
    while (batch.length > 0) {
      // Sent together: one round trip for each batch.
      const [unseen, following]: [string[], Position[]] = await Promise.all([
        unseenOf(batch),
        next(batch.at(-1) ?? null),
      ]);
      if (unseen.length > 0) yield unseen;
      batch = following;
    }
  } catch (error) {
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
}

/**
 * KEYS: hash tag, bitmap. ARGV: largest sequence number that counts, codes of statuses, then ids. Answers those that have one
 * of these statuses, were there when the run began, and that it has not seen.
 */
const unseenScript = defineScript(`${recordLua}
local found = {}
local last = tonumber(ARGV[1])
for i = 3, #ARGV do
  local measured = read(ARGV[i])
  if measured then
    local asked = string.find(ARGV[2], measured[STATUS], 1, true)
    if asked and measured[SEQ] <= last and redis.call('GETBIT', KEYS[2], measured[SEQ]) == 0 then found[#found + 1] = ARGV[i] end
  end
end
return found
`);
