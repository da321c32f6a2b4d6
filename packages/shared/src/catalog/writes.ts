import type { DurabilityLevel } from '@holdfast/foundation/config';
import { idOfFoundAsset, type MediaRecord, type MergeBase } from '../media/index.js';
import {
  defineScript,
  fenceArgument,
  inRequests,
  leaseFence,
  leaseFenceIfAny,
  redisEdge,
  scriptEdge,
  unlessFenced,
  type LeaseToken,
  type RedisClient,
  type RedisKeys,
  type Script,
} from '../redis/index.js';
import { eraseRecord, indexLua, recordLua, saveLua, setDeleting, waitingLua } from './lua.js';
import { encodeContent, encodeMergeBase, levelCode, type StoredRecord } from './record.js';

/**
 * created, updated; unchanged: the same was there; stale: a newer revision is there; differs: the same revision with
 * other content is there (nothing written); conflict: not what was expected; absent: nothing there although
 * something was expected; tombstoned: deleted here, and stays so.
 */
export type SaveOutcome =
  'created' | 'updated' | 'unchanged' | 'stale' | 'differs' | 'conflict' | 'absent' | 'tombstoned';

/** One record to save, and what must be there for it. */
export interface SaveEntry {
  record: MediaRecord;
  /** What `encodeContent` gives for it, where the caller has that already. */
  content?: string;
  /** By default the revisions decide. */
  expect?: Expected;
  /** Of a record with edits that the host may lack. By default that of the record which is there stays. */
  mergeBase?: MergeBase | undefined;
}

/**
 * absent: only when nothing is there. A record that was read: only over exactly that, and not where it is missing. Its
 * revision alone would not do: the name and the address of an asset change without a new one.
 */
export type Expected = 'absent' | MediaRecord | StoredRecord;

/** A record that was proven. What has other content by now is left as it is. */
export interface VerifiedEntry {
  id: string;
  /** What was read back. */
  content: string;
  /** The attempt that proved it, from 1; kept in `persistence`. */
  attempts: number;
}

/** superseded: the record is another one by now; missing: the host has lost it. */
export type VerifiedOutcome = 'verified' | 'superseded' | 'absent' | 'tombstoned' | 'missing';

/** What `noteFailure` writes into a record, unless it is deleted, or the revision that is named is verified or no longer there. */
export interface FailedAttempt {
  id: string;
  /** 0 = whatever revision is there. */
  revision: number;
  /** How many attempts there were, this one included. */
  attempts: number;
  /** True when no attempt is left: the status becomes failed. */
  final: boolean;
  /** The message is cut after 300 characters. */
  error: { code: string; message: string };
}

/** Tombstones that one script looks at. */
const BATCH = 500;

/**
 * All changes to records. Each is one atomic script, may be repeated without harm, and never lets an older revision replace
 * a newer one. A function that takes a token writes for the run that holds the lease, and throws RUN_SUPERSEDED when another
 * run holds it. Every function throws CATALOG_UNAVAILABLE when Redis cannot serve.
 */
export function catalogWrites(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  const run = scriptEdge(redis, keys, 'CATALOG_UNAVAILABLE');

  /** One script for each part of the items that one command may carry; `head` goes before each part. Answers a word for each item. */
  async function runOver<Word extends string>(
    script: Script,
    head: Arguments,
    items: readonly (Arguments | string)[],
  ): Promise<Word[]> {
    const words: Word[] = [];
    for (const part of inRequests(redis, items, bytesOf))
      words.push(...(unlessFenced(await run(script, [...head, ...part.flat()])) as Word[]));
    return words;
  }

  /** Saves a page of records, in one step where one command may carry it; outcomes in the order of the entries. */
  const saveMany = (entries: readonly SaveEntry[], token: LeaseToken): Promise<SaveOutcome[]> => {
    const items = entries.map(({ record, content, expect, mergeBase }) => [
      record.id,
      expectArgument(expect),
      record.pushedRevision,
      content ?? encodeContent(record),
      mergeBase === undefined ? '' : encodeMergeBase(mergeBase),
    ]);
    return runOver(saveScript, [fenceArgument(token)], items);
  };

  return {
    save: async (record: MediaRecord): Promise<SaveOutcome> =>
      (await saveMany([{ record }], null))[0] ?? 'absent',
    saveIf: async (record: MediaRecord, expect: Expected, mergeBase?: MergeBase): Promise<SaveOutcome> =>
      (await saveMany([{ record, expect, mergeBase }], null))[0] ?? 'absent',
    saveMany,
    /** Sets verified those that are still what was verified, and ends the intents of their uploads. */
    markVerified: (level: DurabilityLevel, verifiedAt: Date, entries: readonly VerifiedEntry[]) => {
      const items = entries.map(({ id, content, attempts }) => [id, content, attempts]);
      return runOver<VerifiedOutcome>(verifiedScript, [levelCode[level], verifiedAt.getTime()], items);
    },
    noteFailure: ({ id, revision, attempts, final, error }: FailedAttempt) => {
      const message = error.message.slice(0, 300);
      return run(failedScript, [id, revision, attempts, final ? '1' : '0', error.code, message, Date.now()]);
    },
    /** Only records that were settled become missing: never one being saved or deleted. */
    markMissing: (ids: readonly string[], token: LeaseToken) =>
      runOver<'moved' | 'kept'>(moveScript, [fenceArgument(token), 'vf', 'm'], ids),
    /** Missing records that the host has again become saving, to be verified again. */
    restore: (ids: readonly string[], token: LeaseToken) =>
      runOver<'moved' | 'kept'>(moveScript, [fenceArgument(token), 'm', 's'], ids),
    /** The host now carries this revision. */
    notePushed: (id: string, revision: number) => run(pushedScript, [id, revision]),
    /** gone: deleted earlier and confirmed; conflict: not exactly the record that was read, where one is given. */
    beginDelete: (id: string, read?: MediaRecord) =>
      run(beginDeleteScript, [id, read === undefined ? '' : encodeContent(read)]) as Promise<
        'deleting' | 'gone' | 'absent' | 'conflict'
      >,
    /**
     * Removes the record of a deletion that the host has confirmed, also where it came back meanwhile. Its tombstone stays, and is
     * put again where Redis lost it. `assetId`, under which its asset could be found again, stays deleted too.
     */
    finishDelete: (id: string, assetId: string | null = null) =>
      run(finishDeleteScript, assetId === null ? [id] : [id, idOfFoundAsset(assetId)]),
    /** The host still shows assets of these ids, so that their tombstones may not end yet. */
    keepTombstones: (ids: readonly string[]): Promise<void> =>
      guarded(async () => {
        const members = ids.flatMap((id) => [Date.now(), id]);
        if (ids.length > 0) await redis.zadd(keys.tombstones, 'XX', ...members);
      }),
    /** Ends the tombstones from before `beforeMs` whose removal the host has confirmed. Answers how many. */
    endTombstones: async (beforeMs: number, token: string): Promise<number> => {
      let total = 0;
      for (let passed = 0; ;) {
        const reply = unlessFenced(await run(endTombstonesScript, [token, beforeMs, passed, BATCH]));
        const [seen = 0, ended = 0] = reply as number[];
        total += ended;
        passed += seen - ended;
        if (seen < BATCH) return total;
      }
    },
    /** Begins the catalog now, unless it has begun already. */
    noteEpoch: (nowMs: number) => guarded(() => redis.set(keys.epoch, nowMs, 'NX')),
  };
}

type Arguments = readonly (string | number)[];

const bytesOf = (item: Arguments | string): number =>
  Buffer.byteLength(String(item)) + 16 * [item].flat().length;

function expectArgument(expect: Expected | undefined): string {
  if (expect === undefined) return '';
  if (expect === 'absent') return '0';
  return 'content' in expect ? expect.content : encodeContent(expect);
}

/** ARGV: fence token ('' = outside of any run), then id, expect, pushedRevision, content, merge base of each. Answers one word each, or 'fenced'. */
const saveScript = defineScript(`${saveLua}${leaseFenceIfAny}
local outcomes = {}
for i = 2, #ARGV, 5 do
  outcomes[#outcomes + 1] = save(ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3], ARGV[i + 4])
end
flush()
return outcomes
`);

/** ARGV: level, ms, then id, content, attempts for each. 'verified' also ends the intent. Answers one word each. */
const verifiedScript = defineScript(`${recordLua}${waitingLua}
local function verify(id, expected, attempts)
  local measured, content = read(id)
  if not measured then return 'absent' end
  local status = measured[STATUS]
  if status == 'x' then return 'tombstoned' end
  if expected ~= content then return 'superseded' end
  if status == 'm' then return 'missing' end
  if status ~= 'v' then later('ZREM', p .. ':index:status:' .. status, id) end
  measured[STATUS], measured[LEVEL], measured[VERIFIED], measured[ATTEMPTS], measured[ERROR] = 'v', ARGV[1], tonumber(ARGV[2]), attempts, 0
  write(id, measured, content)
  later('ZREM', p .. ':intents', id)
  redis.call('DEL', p .. ':intent:' .. id)
  return 'verified'
end
local outcomes = {}
for i = 3, #ARGV, 3 do outcomes[#outcomes + 1] = verify(ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])) end
flush()
return outcomes
`);

/** ARGV: id, revision (0 = any), attempts, final ('1' = status failed and the intent leaves the sweep), code, message, ms. */
const failedScript = defineScript(`${recordLua}
local id = ARGV[1]
local measured, content = read(id)
if not measured then return 'absent' end
if measured[STATUS] == 'x' then return 'tombstoned' end
local c = indexed(content)
local revision = tonumber(ARGV[2])
if revision ~= 0 and c[REV] ~= revision then return 'superseded' end
-- What was read back and confirmed stays proved, whatever became of another job for the same revision.
if revision ~= 0 and measured[STATUS] == 'v' then return 'verified' end
measured[ERROR] = { ARGV[5], ARGV[6], tonumber(ARGV[7]) }
-- Those of its verification, which a push is no part of.
if revision ~= 0 then measured[ATTEMPTS] = tonumber(ARGV[3]) end
if ARGV[4] == '1' then
  -- That the host has lost the asset says more than that a job failed.
  if measured[STATUS] ~= 'm' then set_status(id, measured, 'f', c[CREATED]) end
  redis.call('ZREM', p .. ':intents', id)
end
write(id, measured, content)
return 'noted'
`);

/** ARGV: fence token ('' = outside of any run), codes of the statuses that move, the status that they get, then ids. Answers a word for each. */
const moveScript = defineScript(`${recordLua}${leaseFenceIfAny}
local outcomes = {}
for i = 4, #ARGV do
  local id = ARGV[i]
  local measured, content = read(id)
  local moves = measured and string.find(ARGV[2], measured[STATUS], 1, true)
  if moves then
    set_status(id, measured, ARGV[3], indexed(content)[CREATED])
    write(id, measured, content)
    note_change()
  end
  outcomes[#outcomes + 1] = moves and 'moved' or 'kept'
end
return outcomes
`);

/** ARGV: id, revision that the host now carries. */
const pushedScript = defineScript(`${recordLua}
local id = ARGV[1]
local measured, content = read(id)
if not measured then return 'absent' end
local current = indexed(content)[REV]
if set_pushed(measured, tonumber(ARGV[2]), current) then write(id, measured, content) end
note_pushed(id, measured, current)
return 'noted'
`);

/** ARGV: id, content text ('' = any). Only over that text, if any. The tombstone comes first and stays; the record waits as deleting. */
const beginDeleteScript = defineScript(`${recordLua}
local id = ARGV[1]
local measured, content = read(id)
if not measured then
  if redis.call('ZSCORE', p .. ':tombstones', id) then return 'gone' end
  return 'absent'
end
local c = indexed(content)
if measured[STATUS] == 'x' then return 'deleting' end
if ARGV[2] ~= '' and content ~= ARGV[2] then return 'conflict' end
redis.call('ZADD', p .. ':tombstones', now_ms(), id)
${setDeleting}
note_change()
return 'deleting'
`);

/**
 * ARGV: id, and that of its asset, where there is one. The host has confirmed: the record goes, the tombstones stay. Where Redis was
 * emptied since, they are put again: a snapshot may be on its way in.
 */
const finishDeleteScript = defineScript(`${indexLua}
for _, deleted in ipairs(ARGV) do
  if redis.call('ZADD', p .. ':tombstones', 'NX', now_ms(), deleted) == 1 then note_change() end
end
local id = ARGV[1]
local measured, content = read(id)
if measured then
  ${eraseRecord}
end
return 'ok'
`);

/** ARGV: token, ms, how many to pass over, how many to look at. Answers {looked at, ended}. A record that is left is still being deleted. */
const endTombstonesScript = defineScript(`${recordLua}${leaseFence}
local ids = redis.call('ZRANGEBYSCORE', p .. ':tombstones', '-inf', '(' .. ARGV[2], 'LIMIT', ARGV[3], ARGV[4])
local ended = 0
for _, id in ipairs(ids) do
  if redis.call('EXISTS', record_key(id)) == 0 then
    redis.call('ZREM', p .. ':tombstones', id)
    ended = ended + 1
  end
end
return { #ids, ended }
`);
