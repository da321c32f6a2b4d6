import { randomUUID } from 'node:crypto';
import type { RedisSettings } from '@holdfast/foundation/config';
import { fromRedisError, redisErrorKind, redisKeys, redisRefusal, type RedisClient } from '../redis/index.js';
import { UNKNOWN_VERSION, type ServerFacts } from './server-facts.js';

/** One thing that a server may lack. */
export interface ServerProbe {
  name: string;
  /** Nothing works without it. */
  needed: boolean;
  /** How it is tried: by Lua inside one script, by commands of its own, or by what the server said of itself. */
  attempt:
    | { lua: string }
    | { commands: readonly (readonly string[])[] }
    | { seen: (facts: ServerFacts) => boolean };
  /** Refusals of the whole script that mean this lack. */
  refusal?: RegExp;
  /** When the lack of what is not needed is told: never where another finding does. */
  told?: 'always' | 'with replicas';
  /** What follows from the lack. */
  means: string;
  fix: string;
}

/** What came of one probe. */
export interface ProbeResult {
  probe: ServerProbe;
  /** `refused`: the server says no now, for want of a right or of room; that does not tell whether it could. */
  outcome: 'there' | 'lacking' | 'refused';
  /** The server's own words, empty where it is there. */
  said: string;
}

const OTHER_SERVER = 'Use Redis 7.2 or newer, Valkey, or one of the services in docs/redis.md.';
const NEWER = 'Use Redis 6.2 or newer, or Valkey.';
/** Stands for a key that the script has made. */
const PROBE_KEY = '<key>';
const SCRIPTS = 'Scripts';
const ONE_SERVER = 'Keys on one server';

/**
 * All that Holdfast and BullMQ use of a server and that not every server has, the needed ones first. Scripts find a sorted set with
 * one member under `key`, nothing under `none`, and may write to `stream`.
 */
export const serverProbes: readonly ServerProbe[] = [
  {
    name: SCRIPTS,
    needed: true,
    attempt: { lua: '' },
    means: 'Every change of the catalog and of the queues is one script.',
    fix: `Allow EVAL and EVALSHA. ${OTHER_SERVER}`,
  },
  {
    name: 'EVALSHA',
    needed: true,
    // No server knows this script, and one that says so knows the command.
    attempt: { commands: [['EVALSHA', '0'.repeat(40), '1', PROBE_KEY]] },
    means: 'Scripts are called by their hash.',
    fix: `Allow EVALSHA. ${OTHER_SERVER}`,
  },
  {
    name: 'Keys in scripts',
    needed: true,
    attempt: { lua: "redis.call('EXISTS', KEYS[1] .. ':probe:undeclared')" },
    refusal: /undeclared key|Dynamic keys are not allowed/i,
    means: 'Scripts build the names of keys from the one that they are given.',
    fix: 'Start Dragonfly with --default_lua_flags=allow-undeclared-keys.',
  },
  {
    name: ONE_SERVER,
    needed: true,
    attempt: { lua: '' },
    refusal: /^(?:ERR )?(?:MOVED|CROSSSLOT)\b/,
    means: 'This is one node of a cluster, and our keys lie on another.',
    fix: 'Set REDIS_CLUSTER_NODES instead of REDIS_URL.',
  },
  {
    name: 'cjson',
    needed: true,
    attempt: { lua: 'cjson.decode(cjson.encode({ 1 }))' },
    means: 'Records are read and written with it.',
    fix: OTHER_SERVER,
  },
  {
    name: 'cmsgpack',
    needed: true,
    attempt: { lua: 'cmsgpack.unpack(cmsgpack.pack({ 1 }))' },
    means: 'BullMQ hands jobs over in it.',
    fix: OTHER_SERVER,
  },
  {
    name: 'ZMSCORE',
    needed: true,
    attempt: { lua: "redis.call('ZMSCORE', key, 'a', 'b')" },
    means: 'Indexes and deletions are looked up with it.',
    fix: NEWER,
  },
  {
    name: 'LPOS',
    needed: true,
    attempt: { lua: "redis.call('LPOS', none, 'a')" },
    means: 'BullMQ finds jobs in its lists with it.',
    fix: NEWER,
  },
  {
    name: 'BITFIELD',
    needed: true,
    attempt: { lua: "redis.call('BITFIELD', none, 'GET', 'u1', 0)" },
    means: 'Syncs note in it which records they have seen.',
    fix: OTHER_SERVER,
  },
  {
    name: 'Streams',
    needed: true,
    attempt: {
      lua: "redis.call('XADD', stream, 'MAXLEN', '~', 1, '*', 'a', 'b') redis.call('XTRIM', stream, 'MAXLEN', '~', 1)",
    },
    means: 'BullMQ writes an event for each step of a job.',
    fix: OTHER_SERVER,
  },
  {
    name: 'Transactions',
    needed: true,
    attempt: { commands: [['MULTI'], ['EVAL', 'return 1', '1', PROBE_KEY], ['EXEC']] },
    means: 'Jobs are added by several scripts in one transaction.',
    fix: 'Connect to the server itself, without a proxy that knows no MULTI. ElastiCache Serverless refuses scripts there: use nodes.',
  },
  {
    name: 'Blocking commands',
    needed: true,
    // What the script has put there is taken at once. Where there was no script it waits for a second.
    attempt: { commands: [['BZPOPMIN', PROBE_KEY, '1']] },
    means: 'Workers wait for jobs with BZPOPMIN.',
    fix: 'Connect to the server itself, without a proxy that knows no blocking commands.',
  },
  {
    name: 'INFO',
    needed: false,
    attempt: { seen: ({ version }) => version !== UNKNOWN_VERSION },
    means: 'Its version, its memory and its restarts cannot be seen.',
    fix: 'Let the user of Redis run INFO.',
  },
  {
    name: 'CONFIG',
    needed: false,
    attempt: { seen: ({ fsyncPolicy }) => fsyncPolicy !== null },
    means: 'Whether every write is synced to disk cannot be seen.',
    fix: 'Let the user of Redis run CONFIG GET; a rented server may not offer it.',
  },
  {
    name: 'Run id',
    needed: false,
    attempt: { seen: ({ runId }) => runId !== '' },
    told: 'always',
    means: 'A restart of the server is not noticed: what it lost comes back with the next full sync.',
    fix: 'Nothing, where every write is synced to disk.',
  },
  {
    name: 'ROLE',
    needed: false,
    attempt: { commands: [['ROLE']] },
    told: 'with replicas',
    means: 'With DURABILITY_REPLICAS, INFO or a write tells whether the master answers a read-back.',
    fix: 'Let the user of Redis run ROLE; a rented server may not offer it.',
  },
  {
    name: 'WAIT',
    needed: false,
    attempt: { commands: [['WAIT', '0', '1']] },
    told: 'with replicas',
    means: 'No record becomes "replicated".',
    fix: 'Leave DURABILITY_REPLICAS at 0, or use a server that offers WAIT.',
  },
  {
    name: 'WAITAOF',
    needed: false,
    attempt: { commands: [['WAITAOF', '0', '0', '1']] },
    told: 'always',
    means: 'No record becomes "fsynced".',
    fix: 'Use Redis 7.2 or newer, or Valkey, where that level is needed.',
  },
  {
    name: 'CLIENT LIST',
    needed: false,
    attempt: { commands: [['CLIENT', 'LIST']] },
    told: 'always',
    means: 'A worker that was killed counts as alive for 150 s.',
    fix: 'Let the user of Redis run CLIENT LIST.',
  },
];

/**
 * KEYS: the hash tag, then three keys of this try. Answers for each probe what the server said, empty where it did as it was told.
 */
const probeScript = /* lua */ `
local key, stream, none = KEYS[2], KEYS[3], KEYS[4]
redis.call('ZADD', key, 1, 'a')
redis.call('EXPIRE', key, 60)
local said = {}
local function try(what)
  local isFine, failure = pcall(what)
  said[#said + 1] = isFine and '' or (type(failure) == 'table' and failure.err or tostring(failure))
end
${serverProbes.map(({ attempt }) => `try(function() ${'lua' in attempt ? attempt.lua : ''} end)`).join('\n')}
redis.call('DEL', stream)
return said
`;

/** Before what a command in a script answered, on servers before Redis 7. */
const IN_SCRIPT = /^(?:@?user_script: ?\d+: )+-?/;

/**
 * Tries them all in one pipeline: eleven commands, and nine inside the script. Leaves no key behind. `redis` is the
 * connection to the server that holds our keys. Throws CATALOG_UNAVAILABLE where that does not answer.
 */
export async function probeServer(
  redis: RedisClient,
  { connection, prefix }: Pick<RedisSettings, 'connection' | 'prefix'>,
  facts: ServerFacts,
): Promise<ProbeResult[]> {
  const keys = redisKeys(prefix);
  const key = keys.probe(randomUUID());
  const pipeline = redis.pipeline();
  pipeline.eval(probeScript, 4, keys.prefix, key, `${key}:stream`, `${key}:none`);
  const ends = new Map<ServerProbe, number>();
  for (const probe of serverProbes) {
    if (!('commands' in probe.attempt)) continue;
    for (const [name = '', ...args] of probe.attempt.commands)
      pipeline.call(name, ...args.map((arg) => (arg === PROBE_KEY ? key : arg)));
    ends.set(probe, pipeline.length);
  }
  pipeline.del(key);
  const replies = (await pipeline.exec()) ?? [];
  const errors = replies.map(([error]) => error);
  const lost = errors.find((error) => error !== null && redisErrorKind(error) === 'unreachable');
  if (lost) throw fromRedisError(lost, 'CATALOG_UNAVAILABLE');
  const inScript = (replies[0]?.[1] ?? []) as string[];

  return serverProbes.map((probe, index) => {
    const { attempt } = probe;
    if ('seen' in attempt)
      return resultOf(probe, attempt.seen(facts) ? null : new Error('hidden'), 'lacking');
    if ('lua' in attempt) {
      if (errors[0]) return ofRefusedScript(probe, errors[0], connection.kind === 'cluster');
      const said = (inScript[index] ?? '').replace(IN_SCRIPT, '');
      return resultOf(probe, said === '' ? null : new Error(said), 'lacking');
    }
    const end = ends.get(probe) ?? 0;
    const failed = errors.slice(end - attempt.commands.length, end).find((error) => error !== null);
    // Nor is anything known of a transaction whose script cannot run anywhere.
    if (failed && errors[0] && attempt.commands.some(([name]) => name === 'EVAL'))
      return { probe, outcome: 'refused', said: failed.message };
    // A server that complains of how a command is used has the command.
    return resultOf(probe, failed ?? null, 'there');
  });
}

/** `otherwise`: what an answer means that nobody foresaw. */
function resultOf(probe: ServerProbe, error: Error | null, otherwise: 'there' | 'lacking'): ProbeResult {
  if (error === null) return { probe, outcome: 'there', said: '' };
  const said = error.message;
  const kind = redisErrorKind(error);
  const isDenied = !probe.needed && kind === 'credentials';
  if (redisRefusal(error) === 'command' || isDenied) return { probe, outcome: 'lacking', said };
  return { probe, outcome: kind === 'fatal' ? otherwise : 'refused', said };
}

/** Nothing is known of what a script tries where the script did not run. In a cluster keys may be on their way to another node. */
function ofRefusedScript(probe: ServerProbe, error: Error, isCluster: boolean): ProbeResult {
  const said = error.message;
  const meant = serverProbes.find(
    ({ name, refusal }) => refusal?.test(said) === true && !(isCluster && name === ONE_SERVER),
  );
  const isLacking =
    meant === undefined ? probe.name === SCRIPTS && redisRefusal(error) === 'command' : probe === meant;
  return { probe, outcome: isLacking ? 'lacking' : 'refused', said };
}
