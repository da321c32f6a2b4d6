import { createHash } from 'node:crypto';
import { HoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import type { RedisClient } from './connect-redis.js';
import { fromRedisError } from './redis-error.js';
import type { RedisKeys } from './redis-keys.js';

/** What a script may answer, as ioredis gives it: Lua's nil and false are null. */
export type ScriptReply = string | number | null | ScriptReply[];

/** What a script is given besides its keys. A Buffer goes byte for byte, as what BullMQ packs must. */
export type ScriptArgument = string | number | Buffer;

/** A Lua script that runs atomically on the server. Its text never contains values: the server caches it by hash. */
export interface Script {
  (redis: RedisClient, keys: readonly string[], args: readonly ScriptArgument[]): Promise<ScriptReply>;
  readonly text: string;
}

/** Sends the hash, and the text only where the server does not know it. Rejects with the error of the server or of ioredis. */
export function defineScript(text: string): Script {
  const sha = createHash('sha1').update(text).digest('hex');
  const run = async (...[redis, keys, args]: Parameters<Script>): Promise<ScriptReply> => {
    const operands = [...keys, ...args];
    try {
      return (await redis.evalsha(sha, keys.length, ...operands)) as ScriptReply;
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return (await redis.eval(text, keys.length, ...operands)) as ScriptReply;
    }
  };
  return Object.assign(run, { text });
}

/** Runs work on Redis and converts its errors: `code` when Redis cannot serve now (see fromRedisError). */
export const redisEdge =
  (code: ErrorCode) =>
  async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw fromRedisError(error, code);
    }
  };

/** The same for scripts that are given the prefix and make all other keys from it. */
export function scriptEdge(redis: RedisClient, { prefix }: Pick<RedisKeys, 'prefix'>, code: ErrorCode) {
  const edge = redisEdge(code);
  return (script: Script, args: readonly ScriptArgument[]): Promise<ScriptReply> =>
    edge(() => script(redis, [prefix], args));
}

/**
 * Lua of the scripts that know the time. KEYS[1] is always the hash tag's own name (`{holdfast}`), from which every key is
 * built: they all lie in its slot. Each script has only the Lua that it needs: Redis makes its functions again at each call.
 */
export const timePrelude = /* lua */ `
local p = KEYS[1]

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
`;

/** The token that a write for a run carries; null, said openly, for a write outside of any run. */
export type LeaseToken = string | null;

/**
 * Lua for scripts with `p` that write for the run which holds the lease of syncs: ends the script, with nothing written, unless
 * ARGV[1] is the token of the lease.
 */
export const leaseFence = /* lua */ `
if redis.call('GET', p .. ':sync:lease') ~= ARGV[1] then return 'fenced' end
`;

/** The same for scripts that others use too. ARGV[1] is what `fenceArgument` gives. */
export const leaseFenceIfAny = /* lua */ `
if ARGV[1] ~= '' and redis.call('GET', p .. ':sync:lease') ~= ARGV[1] then return 'fenced' end
`;

/** A token as ARGV[1] of scripts with `leaseFenceIfAny`. */
export function fenceArgument(token: LeaseToken): string {
  return token ?? '';
}

/** What such a script answered. Throws RUN_SUPERSEDED where another holds the lease. */
export function unlessFenced(reply: ScriptReply): ScriptReply {
  if (reply === 'fenced') throw new HoldfastError('RUN_SUPERSEDED');
  return reply;
}

/** A call in the text of a script, ours or BullMQ's. */
const CALL = /\br?(?:edis\.p?)?call\(\s*['"]([a-z]+)['"]/gi;

/**
 * Lua: `missing_rights(key, first)` gives those of the commands from ARGV[first] on that the user of this connection may not call
 * on `key`. Servers before Redis 7 cannot tell, and give none.
 */
export const missingRightsLua = /* lua */ `
local function missing_rights(key, first)
  local missing = {}
  if not redis.acl_check_cmd then return missing end
  for at = first, #ARGV do
    local operands = {}
    for _ = 0, 6 do
      -- Only a call with enough operands is judged.
      local isJudged, isAllowed = pcall(redis.acl_check_cmd, ARGV[at], unpack(operands))
      if isJudged then
        if not isAllowed then missing[#missing + 1] = ARGV[at] end
        break
      end
      operands[#operands + 1] = key
    end
  end
  return missing
end
`;

/** The commands that these scripts call: what a user of Redis needs rights to. */
export function commandsOf(scripts: readonly Script[]): string[] {
  const calls = scripts.flatMap(({ text }) => [...text.matchAll(CALL)].map(([, name = '']) => name));
  return [...new Set(calls.map((name) => name.toUpperCase()))];
}
