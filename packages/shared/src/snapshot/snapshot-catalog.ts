import { createCatalog, pageAfter, statusCode, typeCode, type Position } from '../catalog/index.js';
import { saveLua, setDeleting } from '../catalog/lua.js';
import { resourceTypes } from '../media/index.js';
import {
  defineScript,
  fromRedisError,
  inRequests,
  leaseFence,
  membersOf,
  scriptEdge,
  unlessFenced,
  type RedisClient,
  type RedisKeys,
} from '../redis/index.js';
import { encodeRecord, encodeTombstone, type SnapshotLine } from './snapshot-format.js';

const BATCH = 500;

/**
 * The catalog as lines, in batches, so that memory does not grow with it: tombstones first, then the records, oldest
 * first. Records whose upload is not acknowledged yet are left out. Counts into `counts`. Throws CATALOG_UNAVAILABLE.
 */
export async function* catalogLines(
  redis: RedisClient,
  keys: RedisKeys,
  counts: { records: number; tombstones: number },
): AsyncGenerator<string[]> {
  try {
    for await (const lines of tombstoneLines(redis, keys)) {
      counts.tombstones += lines.length;
      yield lines;
    }
    for (const type of resourceTypes)
      for await (const lines of recordLines(redis, keys, typeCode[type])) {
        counts.records += lines.length;
        yield lines;
      }
  } catch (error) {
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
}

/** By rank: while others are added, at the end, none moves. */
async function* tombstoneLines(redis: RedisClient, keys: RedisKeys): AsyncGenerator<string[]> {
  for (let start = 0; ; start += BATCH) {
    const flat = await redis.zrange(keys.tombstones, String(start), String(start + BATCH - 1), 'WITHSCORES');
    if (flat.length === 0) return;
    yield flat.flatMap((id, index) => (index % 2 === 0 ? [encodeTombstone(id, flat[index + 1] ?? '0')] : []));
  }
}

async function* recordLines(redis: RedisClient, keys: RedisKeys, code: string): AsyncGenerator<string[]> {
  const { findStored } = createCatalog(redis, keys);
  for (let after: Position | null = null; ;) {
    const page = { order: 'oldest', after, count: BATCH } as const;
    const batch: Position[] = await pageAfter(redis, keys, [keys.byType(code)], page);
    if (batch.length === 0) return;
    after = batch.at(-1) ?? null;
    const found = (await findStored(batch.map(({ id }) => id))).filter((entry) => entry !== null);
    // The upload of these may still be undone.
    const open = found
      .filter(({ status }) => status === 'saving' || status === 'deferred')
      .map(({ id }) => id);
    const unsettled = await membersOf(redis, keys.intents, open);
    yield found.filter(({ id }) => !unsettled.has(id)).map(encodeRecord);
  }
}

/** created, updated: written. The others leave what is there; tombstoned: deleted, and stays so. */
type LoadOutcome = 'created' | 'updated' | 'unchanged' | 'stale' | 'differs' | 'tombstoned';

/**
 * Brings lines of a snapshot into the catalog, for the worker that holds the lease of syncs; outcomes in their order. May be repeated
 * without harm. Throws RUN_SUPERSEDED once another has the lease, and CATALOG_UNAVAILABLE.
 */
export async function loadLines(
  redis: RedisClient,
  keys: RedisKeys,
  token: string,
  lines: readonly SnapshotLine[],
): Promise<LoadOutcome[]> {
  const run = scriptEdge(redis, keys, 'CATALOG_UNAVAILABLE');
  const outcomes: LoadOutcome[] = [];
  for (const part of inRequests(redis, lines, bytesOf)) {
    const args = part.flatMap((line) =>
      line.kind === 'tombstone'
        ? [line.id, 't', line.deletedMs, '']
        : [line.id, statusCode[line.status], line.pushedRevision, line.content],
    );
    outcomes.push(...(unlessFenced(await run(loadScript, [token, ...args])) as LoadOutcome[]));
  }
  return outcomes;
}

const bytesOf = (line: SnapshotLine): number =>
  200 + (line.kind === 'record' ? Buffer.byteLength(line.content) : 0);

/**
 * ARGV: token, then id, status, pushed revision and content of each record, or id, 't', ms and '' of each tombstone. What was deleted
 * stays so, also where it came back in between. Over a record that is there only what is newer is written. An edit that
 * the host may lack is not listed as unpushed: the host may have a newer one, and the sync that follows looks.
 * Answers one word for each.
 */
const loadScript = defineScript(`${saveLua}${leaseFence}
local function bury(id, ms)
  redis.call('ZADD', p .. ':tombstones', 'NX', ms, id)
  local measured, content = read(id)
  if measured and measured[STATUS] ~= 'x' then
    -- Its entries may wait.
    flush()
    local c = indexed(content)
    ${setDeleting}
  end
  return 'tombstoned'
end
local function load(id, status, pushed, content)
  if status == 'x' then bury(id, now_ms())
  elseif redis.call('ZSCORE', p .. ':tombstones', id) then return 'tombstoned' end
  if redis.call('EXISTS', record_key(id)) == 1 then return save(id, '', pushed, content) end
  write(id, { status, redis.call('INCR', p .. ':sequence'), 0, 0, 0, pushed, 0 }, content)
  each_entry(id, status, content, add_later)
  return 'created'
end
local outcomes = {}
for i = 2, #ARGV, 4 do
  local id, status, number, content = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  outcomes[#outcomes + 1] = status == 't' and bury(id, number) or load(id, status, tonumber(number), content)
end
flush()
return outcomes
`);
