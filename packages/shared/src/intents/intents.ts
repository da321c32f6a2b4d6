import type { ErrorCode } from '@holdfast/foundation/errors';
import { createBatch } from '../batch/index.js';
import { encodeContent } from '../catalog/index.js';
import { endIntent, eraseRecord, saveLua } from '../catalog/lua.js';
import { CLAIM_KEPT_MS, claimPrelude, type HeldClaim } from '../idempotency/index.js';
import { addJobsLua, backlogScript, type UploadJobs } from '../jobs/index.js';
import type { MediaRecord } from '../media/index.js';
import {
  defineScript,
  redisEdge,
  timePrelude,
  type RedisClient,
  type RedisKeys,
  type Script,
  type ScriptArgument,
} from '../redis/index.js';

/** live: its upload runs; settled: accepted, not yet verified; dead: given up or refused, its asset may be destroyed; absent. */
export type IntentState = 'live' | 'settled' | 'dead' | 'absent';

/** An intent without a heartbeat for a while, or one whose removal is due, as the sweep finds it. */
export interface StaleIntent {
  id: string;
  /** `absent`, with an empty public id, where only its heartbeat is left. */
  state: IntentState;
  publicId: string;
  /** How often the jobs of a settled intent have been added again. */
  tries: number;
}

/**
 * unqueued: accepted, but a job could not be added: the sweep does it half a minute later. dead: the sweep gave the upload
 * up, or another try has the claim: it must not be acknowledged. tombstoned: the media was deleted, and stays so.
 */
export type AcceptOutcome = 'accepted' | 'unqueued' | 'dead' | 'tombstoned';

/** Whether the upload counts. */
export function isAccepted(outcome: AcceptOutcome): boolean {
  return outcome === 'accepted' || outcome === 'unqueued';
}

/** The claim that an accepted upload fulfils. */
export interface FulfilledClaim extends Pick<HeldClaim, 'key' | 'token'> {
  fingerprint: string;
  /** For an upload under way: it is refused when another try has the claim. What is committed counts in any case. */
  exclusive: boolean;
}

/** An upload that has arrived in full. */
export interface Acceptance {
  record: MediaRecord;
  /** Also when intent or claim are not there any more: the asset carries the commit mark. */
  committed?: boolean;
  claim?: FulfilledClaim | null;
  /** Added in the same step. */
  jobs?: UploadJobs;
}

/** What a refused upload may have left. */
export interface Refusal {
  /** Under which name the host has it, and when to remove it; null where the host has nothing. */
  removal: { publicId: string; inMs: number } | null;
  /**
   * Where Redis was asked to accept the upload and did not answer: it may have done so, or do so yet. The record is taken out
   * again, the claim that it fulfilled is freed, and an acceptance that comes later is refused.
   */
  acceptance: { claimKey: string | null } | null;
}

/** A live intent without a heartbeat for this long may be given up by anyone (docs/architecture.md, crash windows). */
const INTENT_STALE_MS = 30_000;
/** What a connection that is gone had sent is read within moments once the server runs again. */
const LATE_ACCEPTANCE_MS = 60_000;
/** A 202 may be sent only this long after the last heartbeat that Redis acknowledged. */
export const ACKNOWLEDGE_WITHIN_MS = 20_000;

/** Others wait for Redis meanwhile: 4 ms, and 20 to 80 with as many tags as a record may have. */
const forClients = { atMost: 16, overlapping: true };

/**
 * What is under way: written before the first byte goes to the host, kept until the media is verified, so that a sweep
 * can finish or undo whatever a crash left between. Every function throws `unavailable` when Redis cannot serve.
 */
export function createIntents(
  redis: RedisClient,
  keys: RedisKeys,
  unavailable: ErrorCode = 'QUEUE_UNAVAILABLE',
) {
  const edge = redisEdge(unavailable);
  const run = <Answer>(script: Script, ...args: readonly ScriptArgument[]): Promise<Answer> =>
    edge(async () => (await script(redis, [keys.prefix], args)) as Answer);
  const batchOf = <Answer>(script: Script) =>
    createBatch((uploads: ScriptArgument[][]) => run<Answer[]>(script, ...uploads.flat()), forClients);
  const openMany = batchOf<'opened' | 'overloaded'>(openScript);
  const acceptMany = batchOf<AcceptOutcome>(acceptScript);
  return {
    /**
     * Also the probe that Redis takes writes: nothing is read from a client before it has answered.
     * Overloaded: too many jobs wait, or an earlier try under this id is just being undone. Try again later.
     */
    open: (id: string, publicId: string, maxBacklog: number) => openMany([id, publicId, maxBacklog]),
    /** Notes the public id once the kind of the file is known (raw files carry an extension). */
    describe: (id: string, publicId: string) => run<'noted' | 'dead'>(describeScript, id, publicId),
    /** The public id under which an upload may have left something; null without an intent. */
    publicIdOf: (id: string): Promise<string | null> => edge(() => redis.hget(keys.intent(id), 'publicId')),
    /** The states of those of these ids that are being uploaded, verified or undone; refused: dead for good. */
    findStates: async (ids: readonly string[]): Promise<Map<string, IntentState | 'refused'>> =>
      new Map(ids.length === 0 ? [] : await run<[string, IntentState | 'refused'][]>(statesScript, ...ids)),
    beat: (ids: readonly string[]) => run<IntentState[]>(beatScript, ...ids),
    /** The record enters the catalog as saving, the intent is settled and the jobs are added, in one step. */
    accept: (upload: Acceptance) => acceptMany(Object.values(acceptValues).map((valueOf) => valueOf(upload))),
    drop: async (id: string): Promise<void> => {
      await run(dropScript, id);
    },
    /** Instead of `drop`, for a refused upload that may have left something. It stays dead until the sweep has dropped it. */
    refuse: async (id: string, { removal, acceptance }: Refusal): Promise<void> => {
      const due = removal === null ? ['', ''] : [removal.publicId, removal.inMs - INTENT_STALE_MS];
      const asked = acceptance === null ? ['0', ''] : ['1', acceptance.claimKey ?? ''];
      await run(refuseScript, id, ...due, ...asked, LATE_ACCEPTANCE_MS);
    },
    /** live and stale becomes dead; answers the state after that. */
    kill: (id: string) => run<IntentState>(killScript, id, INTENT_STALE_MS),
    /** Takes `kill` back, unless the upload was refused since; answers the state after that. */
    revive: (id: string) => run<IntentState>(reviveScript, id),
    /** `stale` shows it again after so long. */
    postpone: async (id: string, ms: number): Promise<void> => {
      await run(postponeScript, id, ms - INTENT_STALE_MS);
    },
    stale: async (count: number, olderThanMs = INTENT_STALE_MS): Promise<StaleIntent[]> => {
      const found = await run<[string, IntentState, string, number][]>(staleScript, olderThanMs, count);
      return found.map(([id, state, publicId, tries]) => ({ id, state, publicId, tries }));
    },
    /** Counts one more try to enqueue a settled upload; 0 when it is no longer settled. */
    retry: (id: string) => run<number>(retryScript, id),
  };
}

/** What `createIntents` gives. The API opens and accepts; the sweeps of the worker finish or undo. */
export type Intents = ReturnType<typeof createIntents>;

/**
 * ARGV: id, publicId and largest backlog of each upload. Opens a live intent unless too many jobs wait, or what an earlier try
 * under this id left on the host is just being removed: the removal could take the new asset.
 */
const openScript = defineScript(`${timePrelude}${backlogScript}
local waiting
local function open(id, public_id, largest)
  local key = p .. ':intent:' .. id
  local state = redis.call('HGET', key, 'state')
  waiting = waiting or backlog(p)
  if state == 'dead' or waiting > tonumber(largest) then return 'overloaded' end
  -- What an earlier try under this id settled stays so, and what it may have left is still looked for under its name.
  if state then
    if state ~= 'settled' then redis.call('HSET', key, 'state', 'live', 'tries', 0) end
    redis.call('HSETNX', key, 'publicId', public_id)
  else redis.call('HSET', key, 'state', 'live', 'tries', 0, 'publicId', public_id) end
  redis.call('ZADD', p .. ':intents', now_ms(), id)
  return 'opened'
end
local answers = {}
for i = 1, #ARGV, 3 do answers[#answers + 1] = open(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
return answers
`);

/** ARGV: ids. Moves the heartbeat of those that are live; answers the state of each. */
const beatScript = defineScript(`${timePrelude}
local states = {}
for _, id in ipairs(ARGV) do
  local state = redis.call('HGET', p .. ':intent:' .. id, 'state')
  if state == 'live' then redis.call('ZADD', p .. ':intents', 'XX', now_ms(), id) end
  states[#states + 1] = state or 'absent'
end
return states
`);

/** ARGV: id, publicId. Notes what the sweep must look for, once the kind is known. */
const describeScript = defineScript(`${timePrelude}
local key = p .. ':intent:' .. ARGV[1]
if redis.call('HGET', key, 'state') ~= 'live' then return 'dead' end
redis.call('HSET', key, 'publicId', ARGV[2])
return 'noted'
`);

/** What the script gets of each upload, in this order; the names are those of its Lua locals. */
const acceptValues = {
  id: ({ record }) => record.id,
  pushed: ({ record }) => record.pushedRevision,
  content: ({ record }) => encodeContent(record),
  /** '1' = also when the intent is gone: its asset is committed, nobody may destroy it. */
  committed: ({ committed }) => (committed === true ? '1' : '0'),
  /** '' = none. */
  claim: ({ claim }) => claim?.key ?? '',
  token: ({ claim }) => claim?.token ?? '',
  fingerprint: ({ claim }) => claim?.fingerprint ?? '',
  keep_ms: () => CLAIM_KEPT_MS,
  /** '1' = only while no other try has the claim. */
  exclusive: ({ claim }) => (claim?.exclusive === true ? '1' : '0'),
  save_id: ({ jobs }) => jobs?.saveId ?? '',
  verify_id: ({ jobs }) => jobs?.verifyId ?? '',
  data: ({ jobs }) => jobs?.data ?? '',
  /** '' = no jobs. */
  options: ({ jobs }) => jobs?.options ?? '',
} as const satisfies Record<string, (upload: Acceptance) => ScriptArgument>;

const ACCEPT_VALUES = Object.keys(acceptValues).length;
const acceptLocals = Object.keys(acceptValues).join(', ');

/**
 * ARGV: of each upload what acceptValues gives. live -> settled, the record in the catalog as saving, the claim done and the
 * jobs added, in one step. A swept intent refuses, and so does a claim that another try has. Where the intent was wiped with
 * Redis, a record under this id says that a sync has found the asset with its commit mark.
 */
const acceptScript = defineScript(`${saveLua}${claimPrelude}${addJobsLua}
local function accept(${acceptLocals})
  local key = p .. ':intent:' .. id
  local state = redis.call('HGET', key, 'state')
  if state == 'dead' then return 'dead' end
  if not state and committed ~= '1' and redis.call('EXISTS', record_key(id)) == 0 then return 'dead' end
  if claim ~= '' and exclusive == '1' and is_taken(claim, id, token) then return 'dead' end
  local outcome = save(id, '', tonumber(pushed), content)
  flush()
  if outcome == 'tombstoned' then return outcome end
  redis.call('HSET', key, 'state', 'settled')
  redis.call('ZADD', p .. ':intents', now_ms(), id)
  if claim ~= '' then
    local claimed = redis.call('HGET', claim_key(claim), 'id')
    if not claimed or claimed == id then finish_claim(claim, id, fingerprint, '', keep_ms) end
  end
  return 'accepted'
end
local answers = {}
for at = 1, #ARGV, ${String(ACCEPT_VALUES)} do
  local ${acceptLocals} = unpack(ARGV, at, at + ${String(ACCEPT_VALUES - 1)})
  local answer = accept(${acceptLocals})
  -- The record is in the catalog by now: nothing that fails from here on may undo it. The sweep adds what is lacking.
  if answer == 'accepted' and options ~= '' and not add_jobs(save_id, verify_id, data, options) then answer = 'unqueued' end
  answers[#answers + 1] = answer
end
return answers
`);

/** ARGV: id, age in ms that makes a live intent stale. live -> dead, so that no process acknowledges it any more. */
const killScript = defineScript(`${timePrelude}
local id = ARGV[1]
local key = p .. ':intent:' .. id
local state = redis.call('HGET', key, 'state')
if not state then
  redis.call('ZREM', p .. ':intents', id)
  return 'absent'
end
if state == 'dead' then return 'dead' end
local beat = redis.call('ZSCORE', p .. ':intents', id)
if state == 'live' and beat and now_ms() - tonumber(beat) >= tonumber(ARGV[2]) then
  redis.call('HSET', key, 'state', 'dead')
  return 'dead'
end
return state
`);

/** ARGV: id. dead -> live, if the intent is dead by `kill` and the upload has not been refused since. Answers the new state. */
const reviveScript = defineScript(`${timePrelude}
local key = p .. ':intent:' .. ARGV[1]
local i = redis.call('HMGET', key, 'state', 'refused')
-- 0.1.0 notes a refusal by taking the intent off the list.
local is_refused = i[2] or not redis.call('ZSCORE', p .. ':intents', ARGV[1])
if i[1] ~= 'dead' or is_refused then return i[1] or 'absent' end
redis.call('HSET', key, 'state', 'live')
return 'live'
`);

/** ARGV: id, ms from now. */
const postponeScript = defineScript(`${timePrelude}
return redis.call('ZADD', p .. ':intents', 'XX', 'GT', now_ms() + tonumber(ARGV[2]), ARGV[1])
`);

/** ARGV: ids. Pairs of id and state of those that are listed; `refused` in place of dead where it was refused. */
const statesScript = defineScript(`${timePrelude}
local states = {}
for i, score in ipairs(redis.call('ZMSCORE', p .. ':intents', unpack(ARGV))) do
  if score then
    local intent = redis.call('HMGET', p .. ':intent:' .. ARGV[i], 'state', 'refused')
    states[#states + 1] = { ARGV[i], intent[2] and 'refused' or intent[1] or 'absent' }
  end
end
return states
`);

/** ARGV: id. Forgets an intent that led to nothing. */
const dropScript = defineScript(`${timePrelude}
local id = ARGV[1]
${endIntent}
return 'ok'
`);

/**
 * ARGV: id; public id and ms until the heartbeat that makes it due ('' = nothing to remove); '1' = acceptance was asked, key of the claim
 * ('' = none), ms for which an acceptance may come late. A record that the acceptance has made, or is on its way to make, must not stay,
 * since its bytes are gone: what is there goes under a tombstone, with the claim that it fulfilled.
 */
const refuseScript = defineScript(`${saveLua}${claimPrelude}
local id = ARGV[1]
local key = p .. ':intent:' .. id
redis.call('HSET', key, 'state', 'dead', 'refused', '1')
if ARGV[2] == '' then
  redis.call('ZREM', p .. ':intents', id)
  redis.call('PEXPIRE', key, ARGV[6])
else
  redis.call('HSET', key, 'publicId', ARGV[2])
  redis.call('PERSIST', key)
  redis.call('ZADD', p .. ':intents', now_ms() + tonumber(ARGV[3]), id)
end
if ARGV[4] ~= '1' then return 'refused' end
if ARGV[5] ~= '' and redis.call('HGET', claim_key(ARGV[5]), 'id') == id then redis.call('DEL', claim_key(ARGV[5])) end
local measured, content = read(id)
if not measured then return 'refused' end
redis.call('ZADD', p .. ':tombstones', now_ms(), id)
${eraseRecord}
note_change()
return 'removed'
`);

/** ARGV: age in ms, count. Intents without a heartbeat for that long: id, state, publicId, tries of each. */
const staleScript = defineScript(`${timePrelude}
local found = {}
local ids = redis.call('ZRANGEBYSCORE', p .. ':intents', '-inf', string.format('%.0f', now_ms() - tonumber(ARGV[1])), 'LIMIT', 0, tonumber(ARGV[2]))
for _, id in ipairs(ids) do
  local i = redis.call('HMGET', p .. ':intent:' .. id, 'state', 'publicId', 'tries')
  found[#found + 1] = { id, i[1] or 'absent', i[2] or '', tonumber(i[3] or '0') }
end
return found
`);

/** ARGV: id. A settled intent whose jobs are added again: counts the try and moves the heartbeat. Answers the number of this try, 0 when not settled. */
const retryScript = defineScript(`${timePrelude}
local key = p .. ':intent:' .. ARGV[1]
if redis.call('HGET', key, 'state') ~= 'settled' then return 0 end
redis.call('ZADD', p .. ':intents', 'XX', now_ms(), ARGV[1])
return redis.call('HINCRBY', key, 'tries', 1)
`);

/** All that an upload asks of Redis. */
export const uploadScripts = [openScript, beatScript, describeScript, acceptScript] as const;
