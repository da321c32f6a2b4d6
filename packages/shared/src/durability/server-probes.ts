import { randomUUID } from 'node:crypto';
import type { RedisSettings } from '@holdfast/foundation/config';
import { fromRedisError, redisErrorKind, redisKeys, redisRefusal, type RedisClient } from '../redis/index.js';
import type { ServerFacts } from './server-facts.js';

/** One thing that a server may lack. */
export interface ServerProbe {
  name: string;
  /** True if nothing works without it. */
  needed: boolean;
  attempt: Attempt;
  /** What follows if it is missing. */
  means: string;
  fix: string;
  /** Only DURABILITY_REPLICAS uses it. */
  forReplicas: boolean;
}

/** How it is tried: by Lua inside one script, by commands of its own, or by what the server said of itself. */
interface Attempt {
  lua?: string;
  commands?: readonly (readonly string[])[];
  isSeen?: (facts: ServerFacts) => boolean;
}

/** The outcome of one probe. */
export interface ProbeResult {
  probe: ServerProbe;
  /** `refused`: the server says no now, for want of a right or of room; that does not tell whether it could. */
  outcome: 'there' | 'lacking' | 'refused';
  /** The server's own words, empty where it is there. */
  said: string;
}

const needs = (name: string, attempt: Attempt, means: string, fix: string): ServerProbe => ({
  name,
  needed: true,
  forReplicas: false,
  attempt,
  means,
  fix,
});
const uses = (...probe: Parameters<typeof needs>): ServerProbe => ({ ...needs(...probe), needed: false });
const usesForReplicas = (...probe: Parameters<typeof needs>): ServerProbe => ({
  ...uses(...probe),
  forReplicas: true,
});

const OTHER_SERVER = 'Use Redis 7.2 or newer, Valkey, or one of the services in docs/redis.md.';
/** Stands for a key that the script has made. */
const PROBE_KEY = '<key>';

const scripts = needs(
  'Scripts',
  { lua: '' },
  'Every change of the catalog and of the queues is one script.',
  `Allow EVAL and EVALSHA. ${OTHER_SERVER}`,
);
const oneServer = needs(
  'Keys on one server',
  { lua: '' },
  'This is one node of a cluster, and our keys lie on another.',
  'Set REDIS_CLUSTER_NODES instead of REDIS_URL.',
);
const keysInScripts = needs(
  'Keys in scripts',
  { lua: "redis.call('EXISTS', KEYS[1] .. ':probe:undeclared')" },
  'Scripts build the names of keys from the one that they are given.',
  'Start Dragonfly with --default_lua_flags=allow-undeclared-keys.',
);

/**
 * What Holdfast and BullMQ use of a server and some servers lack. Scripts find a sorted set with one member under `key`. Whatever else
 * is lacking is refused when it is used: jobs wait, and health says so.
 */
export const serverProbes: readonly ServerProbe[] = [
  scripts,
  keysInScripts,
  oneServer,
  needs(
    'cjson',
    { lua: 'cjson.decode(cjson.encode({ 1 }))' },
    'Records are read and written with it.',
    OTHER_SERVER,
  ),
  needs(
    'cmsgpack',
    { lua: 'cmsgpack.unpack(cmsgpack.pack({ 1 }))' },
    'BullMQ passes jobs in it.',
    OTHER_SERVER,
  ),
  needs(
    'ZMSCORE',
    { lua: "redis.call('ZMSCORE', key, 'a', 'b')" },
    'Indexes and deletions use it.',
    'Use Redis 6.2 or newer, or Valkey.',
  ),
  needs(
    'Transactions',
    { commands: [['MULTI'], ['EVAL', 'return 1', '1', PROBE_KEY], ['EXEC']] },
    'Jobs are added by several scripts in one transaction.',
    'Connect to the server itself, without a proxy that does not know MULTI. ElastiCache Serverless refuses scripts there: use nodes.',
  ),
  needs(
    'Blocking commands',
    // What the script has put there is taken at once. Where there was no script it waits for a second.
    { commands: [['BZPOPMIN', PROBE_KEY, '1']] },
    'Workers wait for jobs with BZPOPMIN.',
    'Connect to the server itself, without a proxy that does not know blocking commands.',
  ),
  uses(
    'INFO',
    { isSeen: ({ runId }) => runId !== '' },
    'A restart of the server is not noticed: what it lost comes back with the next full sync.',
    'Let the user of Redis run INFO. A rented server may hide its run id: then nothing, where every write is synced to disk.',
  ),
  usesForReplicas(
    'ROLE',
    { commands: [['ROLE']] },
    'With DURABILITY_REPLICAS, INFO or a write tells whether the master answers a read-back.',
    'Let the user of Redis run ROLE; a rented server may not offer it.',
  ),
  usesForReplicas(
    'WAIT',
    { commands: [['WAIT', '0', '1']] },
    'No record becomes "replicated".',
    'Leave DURABILITY_REPLICAS at 0, or use a server that offers WAIT.',
  ),
  uses(
    'WAITAOF',
    { commands: [['WAITAOF', '0', '0', '1']] },
    'No record becomes "fsynced".',
    'Use Redis 7.2 or newer, or Valkey, where that level is needed.',
  ),
  uses(
    'CLIENT LIST',
    { commands: [['CLIENT', 'LIST']] },
    'A worker that was killed counts as alive for 150 s.',
    'Let the user of Redis run CLIENT LIST.',
  ),
];

/**
 * KEYS: the hash tag, then a key of this try. Answers for each probe what the server said, empty where it obeyed.
 */
const probeScript = /* lua */ `
local key = KEYS[2]
redis.call('ZADD', key, 1, 'a')
redis.call('EXPIRE', key, 60)
local said = {}
local function try(what)
  local isFine, failure = pcall(what)
  said[#said + 1] = isFine and '' or (type(failure) == 'table' and failure.err or tostring(failure))
end
${serverProbes.map(({ attempt }) => `try(function() ${attempt.lua ?? ''} end)`).join('\n')}
return said
`;

/** Before what a command in a script answered, on servers before Redis 7. */
const IN_SCRIPT = /^(?:@?user_script: ?\d+: )+-?/;

/**
 * Tries them all in one round trip: ten commands, and five inside the script. Leaves no key behind. `redis` is the
 * connection to the server that holds our keys. Throws CATALOG_UNAVAILABLE where that does not answer.
 */
export async function probeServer(
  redis: RedisClient,
  { connection, prefix }: Pick<RedisSettings, 'connection' | 'prefix'>,
  facts: ServerFacts,
): Promise<ProbeResult[]> {
  const keys = redisKeys(prefix);
  const key = keys.probe(randomUUID());
  const script = redis.eval(probeScript, 2, keys.prefix, key);
  const scriptRefusal = errorOf(script);
  const results = serverProbes.map(async (probe, index): Promise<ProbeResult> => {
    const { lua, commands = [], isSeen } = probe.attempt;
    // All of them are sent in this turn, in the order of the table.
    const sent = commands.map(([name = '', ...args]) =>
      errorOf(redis.call(name, ...args.map((arg) => (arg === PROBE_KEY ? key : arg)))),
    );
    const refusal = await scriptRefusal;
    const errors = await Promise.all(sent);
    if (isSeen?.(facts) === false) errors.push(new Error('hidden'));
    if (lua !== undefined) errors.push(refusal ?? errorInScript(((await script) as string[])[index]));
    const error = errors.find((one) => one !== null);
    if (error === undefined) return { probe, outcome: 'there', said: '' };
    if (redisErrorKind(error) === 'unreachable') throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
    // Where the script did not run nothing is known of what it tries, nor of transactions with a script.
    const isUntried = refusal !== null && (lua !== undefined || commands.some(([name]) => name === 'EVAL'));
    const outcome = !isUntried
      ? outcomeOf(probe, error)
      : probe === lackThatMeans(refusal, connection.kind === 'cluster')
        ? 'lacking'
        : 'refused';
    return { probe, outcome, said: error.message };
  });
  const [all] = await Promise.all([Promise.all(results), errorOf(redis.del(key))]);
  return all;
}

function errorInScript(said = ''): Error | null {
  return said === '' ? null : new Error(said.replace(IN_SCRIPT, ''));
}

const errorOf = (sent: Promise<unknown>): Promise<Error | null> =>
  sent.then(
    () => null,
    (error: Error) => error,
  );

function outcomeOf({ needed, attempt }: ServerProbe, error: Error): ProbeResult['outcome'] {
  const kind = redisErrorKind(error);
  if (redisRefusal(error) === 'command' || (!needed && kind === 'credentials')) return 'lacking';
  if (kind !== 'fatal') return 'refused';
  // A server that complains of how a command is used has the command.
  return attempt.commands === undefined ? 'lacking' : 'there';
}

/** What the refusal of the whole script means. */
function lackThatMeans(error: Error, isCluster: boolean): ServerProbe | undefined {
  if (/undeclared key|Dynamic keys are not allowed/i.test(error.message)) return keysInScripts;
  // In a cluster keys may be on their way to another node.
  if (/^(?:ERR )?(?:MOVED|CROSSSLOT)\b/.test(error.message)) return isCluster ? undefined : oneServer;
  return redisRefusal(error) === 'command' ? scripts : undefined;
}
