import { createHash, randomUUID } from 'node:crypto';
import type { ErrorCode } from '@holdfast/foundation/errors';
import type { UploadClaim } from '../media/index.js';
import {
  defineScript,
  fenceArgument,
  leaseFenceIfAny,
  scriptEdge,
  timePrelude,
  unlessFenced,
  type LeaseToken,
  type RedisClient,
  type RedisKeys,
} from '../redis/index.js';

/** How long a try may go without a renewal before another one takes it over. */
export const CLAIM_LEASE_MS = 15_000;
/** How long a key is bound to its request. */
export const CLAIM_KEPT_MS = 24 * 60 * 60 * 1_000;

/** Under which name a client's key is claimed, here and on the asset: 32 hex digits. */
export function claimKey(client: string, key: string): string {
  return createHash('sha256').update(`${client}\0${key}`).digest('hex').slice(0, 32);
}

/** The right to work under a key. */
export interface HeldClaim {
  /** See claimKey. */
  key: string;
  /** The id of the media item, the same for all tries that take over from each other. */
  id: string;
  token: string;
  /** True when an earlier try under this id may have left something. */
  takenOver: boolean;
}

/** The outcome of a finished request. */
export interface FinishedClaim {
  id: string;
  /** Of the request. */
  fingerprint: string;
  /** The answer was an existing file. */
  duplicate: boolean;
}

/** The outcome of claiming a key. held: it is the caller's now; done: its request was answered before. */
export type ClaimReply =
  | { state: 'held'; claim: HeldClaim }
  | { state: 'done'; finished: FinishedClaim }
  /** Another try works under the key; its lease runs for so long. */
  | { state: 'running'; leaseMs: number }
  /** The catalog is not the one that the caller knows: Redis was emptied, and the claims with it. */
  | { state: 'emptied' };

/** A finished claim as its asset tells it, for a Redis that has forgotten it. */
export interface RestoredClaim extends UploadClaim {
  /** Of the media item. */
  id: string;
  /** How much longer the key is bound to its request. Must be above 0. */
  keepMs: number;
}

/**
 * One request under each Idempotency-Key: running with a lease, then done for a day. Every function throws `unavailable`
 * when Redis cannot serve.
 */
export function createClaims(
  redis: RedisClient,
  keys: RedisKeys,
  unavailable: ErrorCode = 'QUEUE_UNAVAILABLE',
) {
  const run = scriptEdge(redis, keys, unavailable);
  return {
    /** `newId` is for a first try. `epoch`: of the catalog, as far as the caller knows. */
    claim: async (key: string, newId: string, epoch: string | null): Promise<ClaimReply> => {
      const token = randomUUID();
      const args = [key, newId, token, CLAIM_LEASE_MS, CLAIM_KEPT_MS, epoch ?? ''];
      const reply = (await run(claimScript, args)) as [ClaimReply['state'], ...string[]];
      const [state, first = '', second, third] = reply;
      if (state === 'held') return { state, claim: { key, id: first, token, takenOver: second === 'again' } };
      if (state === 'running') return { state, leaseMs: Number(first) };
      if (state === 'emptied') return { state };
      return { state, finished: { id: first, fingerprint: second ?? '', duplicate: third === '1' } };
    },
    /** Moves the leases; false for those under whose id another try works. */
    renew: async (claims: readonly HeldClaim[]): Promise<boolean[]> => {
      if (claims.length === 0) return [];
      const each = claims.flatMap(({ key, id, token }) => [key, id, token]);
      const held = (await run(renewScript, [CLAIM_LEASE_MS, CLAIM_KEPT_MS, ...each])) as number[];
      return held.map((one) => one === 1);
    },
    /**
     * The request under the key failed. `keepId`: what it may have left is found by the next try under the same
     * id; else the next one starts over. 'taken': another try works under this id, so nothing of it may be touched.
     */
    release: async ({ key, id, token }: HeldClaim, keepId: boolean): Promise<'released' | 'taken'> =>
      (await run(releaseScript, [key, id, token, keepId ? '1' : '0'])) as 'released' | 'taken',
    /** Remembers the answer. Accepted uploads are finished by the step that accepts them. */
    finish: async (claim: HeldClaim, { id, fingerprint, duplicate }: FinishedClaim) => {
      const answer = [id, fingerprint, duplicate ? '1' : ''];
      const args = [claim.key, claim.id, claim.token, ...answer, CLAIM_KEPT_MS];
      return (await run(finishScript, args)) as 'finished' | 'taken';
    },
    /**
     * Answers how many were not known. Throws RUN_SUPERSEDED where the token is not the lease's: what its run saw on the host
     * may be gone by now, and would spend the key.
     */
    restore: async (claims: readonly RestoredClaim[], token: LeaseToken): Promise<number> => {
      if (claims.length === 0) return 0;
      const each = claims.flatMap((one) => [one.key, one.id, one.fingerprint, Math.ceil(one.keepMs)]);
      return unlessFenced(await run(restoreScript, [fenceArgument(token), ...each])) as number;
    },
  };
}

/** What `createClaims` gives. The API claims, renews and ends; syncs restore. */
export type Claims = ReturnType<typeof createClaims>;

/** Lua shared with the script that accepts an upload, which finishes its claim in the same step. Needs timePrelude. */
export const claimPrelude = /* lua */ `
local function claim_key(key) return p .. ':idem:' .. key end

local function finish_claim(key, id, fingerprint, duplicate, keep_ms)
  local k = claim_key(key)
  redis.call('HSET', k, 'state', 'done', 'id', id, 'print', fingerprint, 'duplicate', duplicate)
  redis.call('HDEL', k, 'lease')
  redis.call('PEXPIRE', k, keep_ms)
end

-- True when another try has the key now. A claim that was wiped with Redis is nobody's, and one that was restored for
-- this id says that a sync has found the asset.
local function is_taken(key, id, token)
  local c = redis.call('HMGET', claim_key(key), 'id', 'token')
  if not c[1] then return false end
  return c[1] ~= id or (c[2] and c[2] ~= token)
end
`;

const prelude = `${timePrelude}${claimPrelude}`;

/**
 * ARGV: key, id for a first try, token, lease ms, keep ms, the epoch of the catalog as the caller knows it ('' = unknown).
 * Answers {'emptied'}, {'done', id, fingerprint, duplicate}, {'running', ms}, or {'held', id, 'first' | 'again'}: a try whose
 * lease ran out is taken over with its id.
 */
const claimScript = defineScript(`${prelude}
local k = claim_key(ARGV[1])
if ARGV[6] ~= '' and redis.call('GET', p .. ':born') ~= ARGV[6] then return { 'emptied' } end
local c = redis.call('HMGET', k, 'state', 'id', 'print', 'duplicate', 'lease')
if c[1] == 'done' then return { 'done', c[2], c[3], c[4] } end
local now = now_ms()
if c[1] and tonumber(c[5]) > now then return { 'running', tonumber(c[5]) - now } end
local id = c[2] or ARGV[2]
redis.call('HSET', k, 'state', 'running', 'id', id, 'token', ARGV[3], 'lease', string.format('%.0f', now + tonumber(ARGV[4])))
redis.call('PEXPIRE', k, ARGV[5])
return { 'held', id, c[1] and 'again' or 'first' }
`);

/**
 * ARGV: lease ms, keep ms, then key, id and token of each. Moves the leases, and makes claims again that were wiped with Redis: else
 * a try that is killed between its commit mark and its acceptance leaves a file under the key that the next try does not know of.
 * Answers for each 0 when another try works under its id, else 1.
 */
const renewScript = defineScript(`${prelude}
local until_ms = string.format('%.0f', now_ms() + tonumber(ARGV[1]))
local held = {}
for i = 3, #ARGV, 3 do
  local k = claim_key(ARGV[i])
  local c = redis.call('HMGET', k, 'state', 'id', 'token')
  if not c[1] then
    redis.call('HSET', k, 'state', 'running', 'id', ARGV[i + 1], 'token', ARGV[i + 2], 'lease', until_ms)
    redis.call('PEXPIRE', k, ARGV[2])
  elseif c[1] == 'running' and c[3] == ARGV[i + 2] then redis.call('HSET', k, 'lease', until_ms) end
  held[#held + 1] = (c[2] == ARGV[i + 1] and c[3] ~= ARGV[i + 2]) and 0 or 1
end
return held
`);

/**
 * ARGV: key, id, token, '1' = the next try continues under the same id. Answers 'taken' when another try works under this
 * id, else 'released': nobody does.
 */
const releaseScript = defineScript(`${prelude}
local k = claim_key(ARGV[1])
local c = redis.call('HMGET', k, 'state', 'id', 'token')
if c[2] == ARGV[2] and c[3] ~= ARGV[3] then return 'taken' end
if c[1] == 'running' and c[3] == ARGV[3] then
  if ARGV[4] == '1' then redis.call('HSET', k, 'lease', '0') else redis.call('DEL', k) end
end
return 'released'
`);

/** ARGV: key, id, token, then of the answer id, fingerprint and '1' = a duplicate; keep ms. */
const finishScript = defineScript(`${prelude}
if is_taken(ARGV[1], ARGV[2], ARGV[3]) then return 'taken' end
finish_claim(ARGV[1], ARGV[4], ARGV[5], ARGV[6], ARGV[7])
return 'finished'
`);

/**
 * ARGV: fence token ('' = outside of any run), then key, id, fingerprint and ms to keep of each. Finished claims that Redis no longer
 * knows; those it knows stay as they are. Answers how many, or 'fenced'.
 */
const restoreScript = defineScript(`${prelude}${leaseFenceIfAny}
local restored = 0
for i = 2, #ARGV, 4 do
  if redis.call('EXISTS', claim_key(ARGV[i])) == 0 then
    finish_claim(ARGV[i], ARGV[i + 1], ARGV[i + 2], '', ARGV[i + 3])
    restored = restored + 1
  end
end
return restored
`);
