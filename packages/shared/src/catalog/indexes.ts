import { resourceTypes } from '../media/index.js';
import {
  defineScript,
  inRequests,
  pairsOf,
  profileOfClient,
  redisEdge,
  scriptEdge,
  type RedisClient,
  type RedisKeys,
} from '../redis/index.js';
import { indexLua } from './lua.js';
import { packHex, statusCode, typeCode } from './record.js';

/**
 * The indexes of the catalog: sorted sets of ids. Those of types, categories, tags and statuses are in the order of creation; every
 * record is in exactly one type, and in the index of its status unless it is verified. Each script that changes a record changes
 * its entries in the same step (docs/decisions/0005-records-and-indexes.md).
 */

/** A place in an index. */
export interface Position {
  /** Creation time in milliseconds; of the checksums the score of `sha256Place`. */
  createdMs: number;
  /** Empty: before all entries with that time. */
  id: string;
}

/** By time of creation, then by id as bytes. */
export type ListOrder = 'newest' | 'oldest';

/** Compares as the indexes do. */
export function byCreation(order: ListOrder): (a: Position, b: Position) => number {
  const sign = order === 'newest' ? -1 : 1;
  return (a, b) => sign * (a.createdMs - b.createdMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/**
 * The key and the score of a SHA-256 (lower-case hex) in the index of checksums. It is split into 4,096 sets, which Redis keeps
 * compact up to half a million records. The score is made of the next 48 bits, so records found there are compared once more.
 */
export function sha256Place(keys: RedisKeys, sha256: string): { key: string; score: number } {
  const packed = packHex(sha256);
  let score = 0;
  for (let at = 3; at <= 10; at += 1) score = score * 64 + ((packed.charCodeAt(at) || 0) % 64);
  return { key: keys.bySha256(packed.slice(1, 3)), score };
}

/**
 * KEYS: hash tag, index. ARGV: '1' = newest first, score and id of the last entry seen, count. Answers ids and scores after that place;
 * without an id, from the first entry of that score or after it. By rank, so the cost does not grow with the index, nor with the number
 * of equal scores. The place of an entry that is gone, or in another index, is found by bisection: a reader writes nothing.
 */
const pageScript = defineScript(`
local index, newest, score, id = KEYS[2], ARGV[1] == '1', ARGV[2], ARGV[3]

-- As Redis orders members: Lua's own comparison depends on the server's locale.
local function is_before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- How many entries come before this one, and whether it is there.
local function rank_of()
  local rank = redis.call('ZRANK', index, id)
  if rank and tonumber(redis.call('ZSCORE', index, id)) == tonumber(score) then return rank, true end
  local low, high = redis.call('ZCOUNT', index, '-inf', '(' .. score), redis.call('ZCOUNT', index, '-inf', score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_before(redis.call('ZRANGE', index, middle, middle)[1], id) then low = middle + 1 else high = middle end
  end
  return low, false
end

local start
if id ~= '' then
  local rank, is_there = rank_of()
  if newest then start = redis.call('ZCARD', index) - rank else start = is_there and rank + 1 or rank end
elseif newest then start = redis.call('ZCOUNT', index, '(' .. score, '+inf')
else start = redis.call('ZCOUNT', index, '-inf', '(' .. score) end
return redis.call(newest and 'ZREVRANGE' or 'ZRANGE', index, start, start + ARGV[4] - 1, 'WITHSCORES')
`);

/**
 * The next `count` positions of some indexes taken together, after the given one. The cost does not depend on the size of the
 * indexes. Throws CATALOG_UNAVAILABLE.
 */
export async function pageAfter(
  redis: RedisClient,
  keys: RedisKeys,
  indexes: readonly string[],
  { order, after, count }: { order: ListOrder; after: Position | null; count: number },
): Promise<Position[]> {
  const { createdMs, id } = after ?? { createdMs: order === 'newest' ? '+inf' : '-inf', id: '' };
  const args = [order === 'newest' ? '1' : '0', createdMs, id, count];
  const pages = (await redisEdge('CATALOG_UNAVAILABLE')(() =>
    Promise.all(indexes.map((index) => pageScript(redis, [keys.prefix, index], args))),
  )) as string[][];
  const positions = pages
    .flatMap(pairsOf)
    .map(([member, score]) => ({ id: member, createdMs: Number(score) }));
  return positions.toSorted(byCreation(order)).slice(0, count);
}

/** ARGV: indexes. How many entries each has, at one moment. */
const sizesScript = defineScript(`
local sizes = {}
for n, index in ipairs(ARGV) do sizes[n] = redis.call('ZCARD', index) end
return sizes
`);

/** How many entries these indexes have, at one moment. Throws CATALOG_UNAVAILABLE. */
export async function indexSizes(redis: RedisClient, keys: RedisKeys, indexes: readonly string[]) {
  return (await scriptEdge(redis, keys, 'CATALOG_UNAVAILABLE')(sizesScript, indexes)) as number[];
}

/** ARGV: ids. Adds the entries that these records lack. A snapshot lacks them too, so the next one is due. Answers how many. */
const reindexScript = defineScript(`${indexLua}
local lacked = 0
local function add(index, score, id) lacked = lacked + redis.call('ZADD', index, 'CH', score, id) end
for _, id in ipairs(ARGV) do
  local measured, content = read(id)
  if measured then each_entry(id, measured[STATUS], content, add) end
end
if lacked > 0 then note_change() end
return lacked
`);

/** KEYS: hash tag, index. ARGV: ids of some of its entries. Drops those whose record is gone or does not belong there. Answers how many. */
const dropDanglingScript = defineScript(`${indexLua}
local dropped = 0
for _, id in ipairs(ARGV) do
  local measured, content = read(id)
  -- A record that only a newer version can read keeps its entries.
  local belongs = not measured and redis.call('EXISTS', record_key(id)) == 1
  local function match(index) belongs = belongs or index == KEYS[2] end
  if measured then each_entry(id, measured[STATUS], content, match) end
  if not belongs then dropped = dropped + redis.call('ZREM', KEYS[2], id) end
end
return dropped
`);

/** ARGV: cursor, pattern, count. Answers the next cursor, and keys. In a script, which a cluster runs on the server that has them. */
const scanScript = defineScript(`
local reply = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
return { reply[1], unpack(reply[2]) }
`);

/** Every catalog that 0.1.0 left, or writes to, has one of these keys until its indexes have been rebuilt. */
export function signsOfOldIndexes(keys: RedisKeys): string[] {
  return ['n', ...resourceTypes.map((type) => `t:${typeCode[type]}`)].map(keys.oldIndex);
}

/** As many records as one script may read while others wait for Redis. */
const BATCH = 500;

/** Makes the indexes fit the records. Each step writes what is right at that moment, so all of it may run at any time, and twice. */
export function indexRepair(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  const run = scriptEdge(redis, keys, 'CATALOG_UNAVAILABLE');
  const count = Math.min(BATCH, profileOfClient(redis).recordsAtOnce);
  const signs = signsOfOldIndexes(keys);

  async function* keysFrom(start: string, signal: AbortSignal): AsyncGenerator<string[]> {
    const pattern = start.replaceAll(/[\\?*[\]^-]/g, '\\$&') + '*';
    let cursor = '0';
    do {
      signal.throwIfAborted();
      const reply = (await run(scanScript, [cursor, pattern, count])) as string[];
      cursor = reply.shift() ?? '0';
      if (reply.length > 0) yield reply;
    } while (cursor !== '0');
  }

  async function reindex(ids: readonly string[]): Promise<number> {
    let lacked = 0;
    for (const part of inRequests(redis, ids)) lacked += Number(await run(reindexScript, part));
    return lacked;
  }

  async function dropDangling(index: string, signal: AbortSignal): Promise<number> {
    let dropped = 0;
    for (let after: Position | null = null; ;) {
      signal.throwIfAborted();
      const batch: Position[] = await pageAfter(redis, keys, [index], { order: 'oldest', after, count });
      after = batch.at(-1) ?? null;
      if (after === null) return dropped;
      const ids = batch.map(({ id }) => id);
      dropped += Number(await guarded(() => dropDanglingScript(redis, [keys.prefix, index], ids)));
    }
  }

  /**
   * True while the catalog still has the indexes of version 0.1.0: those of this version may lack records until
   * `repairIndexes` has ended.
   */
  const hasOldIndexes = (): Promise<boolean> => guarded(async () => (await redis.exists(...signs)) > 0);

  return {
    /** Adds the index entries that these records lack; answers how many. */
    reindex,
    hasOldIndexes,
    /**
     * Reads every record and adds the entries that it lacks, then drops those of lost records from the indexes of statuses. Where any
     * lacked, or a process of 0.1.0 has changed records, and always with `isThorough`, it drops them from every index; with it go the
     * indexes of 0.1.0. Answers how many entries were wrong. Takes as long as this Redis is large, and rejects with the reason of its
     * signal once that aborts.
     */
    repairIndexes: async (signal: AbortSignal, isThorough = false) => {
      let [added, dropped] = [0, 0];
      const records = keys.record('');
      for await (const found of keysFrom(records, signal))
        added += await reindex(found.map((key) => key.slice(records.length)));
      if (!isThorough && added === 0 && !(await hasOldIndexes())) {
        for (const code of Object.values(statusCode))
          dropped += await dropDangling(keys.byStatus(code), signal);
        return { added, dropped };
      }
      for await (const indexes of keysFrom(keys.index(''), signal))
        for (const index of indexes) dropped += await dropDangling(index, signal);
      for await (const found of keysFrom(keys.oldIndex(''), signal)) {
        const others = found.filter((key) => !signs.includes(key));
        if (others.length > 0) await guarded(() => redis.unlink(...others));
      }
      // Last: a process that dies before leaves the signs for the next one.
      await guarded(() => redis.unlink(...signs));
      return { added, dropped };
    },
  };
}
