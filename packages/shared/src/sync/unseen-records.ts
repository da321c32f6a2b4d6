import { pageAfter, statusCode, typeCode, type Position } from '../catalog/index.js';
import { recordLua, statusAndNumber } from '../catalog/lua.js';
import {
  defineScript,
  fromRedisError,
  profileOfClient,
  type RedisClient,
  type RedisKeys,
  type ScriptReply,
} from '../redis/index.js';
import type { RunningRun } from './sync-run.js';

const BATCH = 1_000;
/** The host answers for so many asset ids at once. */
const YIELDED = 100;

/**
 * The ids of records that were there when a run began and that it has not met, oldest first: of settled ones, or of those that are
 * missing already. In batches of 100, so memory does not grow with the catalog. Throws CATALOG_UNAVAILABLE.
 */
export async function* unseenRecords(
  { redis, keys, running }: { redis: RedisClient; keys: RedisKeys; running: RunningRun },
  which: 'settled' | 'missing',
): AsyncGenerator<string[]> {
  const { lastSequence } = running.progress;
  // The run began on an empty catalog.
  if (lastSequence === 0) return;
  const indexes =
    which === 'missing' ? [keys.byStatus(statusCode.missing)] : Object.values(typeCode).map(keys.byType);
  const statuses = which === 'missing' ? statusCode.missing : statusCode.verified + statusCode.failed;
  const count = Math.min(BATCH, profileOfClient(redis).recordsAtOnce);
  const found: string[] = [];
  try {
    for (const index of indexes) {
      const names = [keys.prefix, keys.syncSeen(running.run.runId), index];
      const next = (after: Position | null): Promise<Position[]> =>
        pageAfter(redis, keys, [index], { order: 'oldest', after, count });
      for (let batch = await next(null); batch.length > 0;) {
        const ids = batch.map(({ id }) => id);
        // Sent together: one round trip for each batch.
        const [unseen, following]: [ScriptReply, Position[]] = await Promise.all([
          unseenScript(redis, names, [lastSequence, statuses, ...ids]),
          next(batch.at(-1) ?? null),
        ]);
        found.push(...(unseen as string[]));
        while (found.length >= YIELDED) yield found.splice(0, YIELDED);
        batch = following;
      }
    }
    if (found.length > 0) yield found;
  } catch (error) {
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
}

/**
 * KEYS: hash tag, bitmap, index of the ids. ARGV: largest sequence number that counts, codes of statuses, then ids. Answers those that
 * have one of these statuses, were there when the run began, and that it has not seen. Drops entries of lost records.
 */
const unseenScript = defineScript(`${recordLua}
local found, names, last = {}, {}, tonumber(ARGV[1])
for i = 3, #ARGV do names[i - 2] = record_key(ARGV[i]) end
for n, text in ipairs(redis.call('MGET', unpack(names))) do
  local id = ARGV[n + 2]
  local status, number = string.match(text or '', ${statusAndNumber})
  local asked = status and tonumber(number) <= last and string.find(ARGV[2], status, 1, true)
  if asked and redis.call('GETBIT', KEYS[2], number) == 0 then found[#found + 1] = id end
  if not text then redis.call('ZREM', KEYS[3], id) end
end
return found
`);
