import {
  defineScript,
  leaseFence,
  redisEdge,
  unlessFenced,
  type RedisClient,
  type RedisKeys,
  type ScriptReply,
} from '../redis/index.js';

/** A holder that died gives way after this long; shorter than the recovery of its job takes. */
export const SYNC_LEASE_MS = 20_000;
/** Of what belongs to one run, for a run that is never finished. */
export const RUN_LIFE_SECONDS = 7 * 24 * 3_600;

/** One command of Redis and its operands; Lua passes on some thousand of them at most. */
export type Command = readonly [name: string, ...operands: (string | number)[]];

/** Runs commands in one step, for the holder of the lease of syncs alone. Answers what each of them did. */
export type LeasedWrite = (token: string, ...commands: readonly Command[]) => Promise<ScriptReply[]>;

/** Throws RUN_SUPERSEDED, with nothing written, once another worker holds the lease, and CATALOG_UNAVAILABLE. */
export function leasedWrite(redis: RedisClient, keys: RedisKeys): LeasedWrite {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  return (token, ...commands) =>
    guarded(async () => {
      const reply = await writeScript(redis, [keys.prefix], [token, JSON.stringify(commands)]);
      return unlessFenced(reply) as ScriptReply[];
    });
}

/** ARGV: token, JSON of the commands. */
const writeScript = defineScript(`
local p = KEYS[1]
${leaseFence}
local replies = {}
for n, command in ipairs(cjson.decode(ARGV[2])) do replies[n] = redis.call(unpack(command)) end
return replies
`);
