import { randomUUID } from 'node:crypto';
import type { RedisSettings } from '@holdfast/foundation/config';
import { fromRedisError, redisErrorKind, redisKeys, redisRefusal, type RedisClient } from '../redis/index.js';
import type { ServerFacts } from './server-facts.js';

/** One thing that a server may lack. */
export interface ServerProbe {
  name: string;
  /** True if nothing works without it. */
  needed: boolean;
  /** How it is tried. */
  commands: readonly (readonly string[])[];
  /** What follows if it is missing. */
  means: string;
  fix: string;
}

/** The outcome of one probe. */
export interface ProbeResult {
  probe: ServerProbe;
  /** `refused`: the server says no now, for want of a right or of room; that does not tell whether it could. */
  outcome: 'there' | 'lacking' | 'refused';
  /** The server's own words, empty where it is there. */
  said: string;
}

type Row = readonly [name: string, commands: ServerProbe['commands'], means: string, fix: string];

/** Stands for the key of one try: a sorted set with one member, once the first script has run. */
const KEY = '<key>';
const script = (text: string): readonly string[] => ['EVAL', text, '1', KEY];

const OTHER_SERVER = 'Use Redis 7.2 or newer, Valkey, or one of the services in docs/redis.md.';
const SCRIPTS = 'Scripts';
const KEYS_IN_SCRIPTS = 'Keys in scripts';
const ONE_SERVER = 'Keys on one server';
const INFO = 'INFO';

/** Whatever else is lacking is refused when it is used: jobs wait, and health says so. */
const needed: readonly Row[] = [
  [
    SCRIPTS,
    [script(`redis.call('ZADD', KEYS[1], 1, 'a') redis.call('EXPIRE', KEYS[1], 60)`)],
    'Every change of the catalog and of the queues is one script.',
    `Allow EVAL and EVALSHA. ${OTHER_SERVER}`,
  ],
  [
    KEYS_IN_SCRIPTS,
    [script(`redis.call('EXISTS', KEYS[1] .. '-undeclared')`)],
    'Scripts build the names of keys from the one that they are given.',
    'Start Dragonfly with --default_lua_flags=allow-undeclared-keys.',
  ],
  [
    ONE_SERVER,
    [script('return 1')],
    'This is one node of a cluster, and our keys lie on another.',
    'Set REDIS_CLUSTER_NODES instead of REDIS_URL.',
  ],
  [
    'cjson',
    [script('cjson.decode(cjson.encode({ 1 }))')],
    'Records are read and written with it.',
    OTHER_SERVER,
  ],
  ['cmsgpack', [script('cmsgpack.unpack(cmsgpack.pack({ 1 }))')], 'BullMQ passes jobs in it.', OTHER_SERVER],
  [
    'ZMSCORE',
    [script(`redis.call('ZMSCORE', KEYS[1], 'a', 'b')`)],
    'Indexes and deletions use it.',
    'Use Redis 6.2 or newer, or Valkey.',
  ],
  [
    'Transactions',
    [['MULTI'], script('return 1'), ['EXEC']],
    'Jobs are added by several scripts in one transaction.',
    'Connect to the server itself, without a proxy that does not know MULTI. ElastiCache Serverless refuses scripts there: use nodes.',
  ],
  [
    'Blocking commands',
    // What the first script has put there is taken at once. Where it could not it waits for a second.
    [['BZPOPMIN', KEY, '1']],
    'Workers wait for jobs with BZPOPMIN.',
    'Connect to the server itself, without a proxy that does not know blocking commands.',
  ],
];

const used: readonly Row[] = [
  [
    // The facts say whether it is answered.
    INFO,
    [],
    'A restart of the server is not noticed: what it lost comes back with the next full sync.',
    'Let the user of Redis run INFO. A rented server may hide its run id: then nothing, where every write is synced to disk.',
  ],
  [
    'ROLE',
    [['ROLE']],
    'With DURABILITY_REPLICAS, INFO or a write tells whether the master answers a read-back.',
    'Let the user of Redis run ROLE; a rented server may not offer it.',
  ],
  [
    'WAIT',
    [['WAIT', '0', '1']],
    'No record becomes "replicated".',
    'Leave DURABILITY_REPLICAS at 0, or use a server that offers WAIT.',
  ],
  [
    'WAITAOF',
    [['WAITAOF', '0', '0', '1']],
    'No record becomes "fsynced".',
    'Use Redis 7.2 or newer, or Valkey, where that level is needed.',
  ],
  [
    'CLIENT LIST',
    [['CLIENT', 'LIST']],
    'A worker that was killed counts as alive for 150 s.',
    'Let the user of Redis run CLIENT LIST.',
  ],
];

const probeOf =
  (isNeeded: boolean) =>
  ([name, commands, means, fix]: Row): ServerProbe => ({ name, needed: isNeeded, commands, means, fix });

/** What Holdfast and BullMQ use of a server and some servers lack. */
export const serverProbes: readonly ServerProbe[] = [
  ...needed.map(probeOf(true)),
  ...used.map(probeOf(false)),
];

/**
 * Tries them all in one round trip, and leaves no key behind. `redis` is the connection to the server that holds our keys. Throws
 * CATALOG_UNAVAILABLE where that does not answer.
 */
export async function probeServer(
  redis: RedisClient,
  { connection, prefix }: Pick<RedisSettings, 'connection' | 'prefix'>,
  { runId }: Pick<ServerFacts, 'runId'>,
): Promise<ProbeResult[]> {
  const key = redisKeys(prefix).probe(randomUUID());
  const send = async ([name = '', ...args]: readonly string[]): Promise<Error | null> => {
    try {
      await redis.call(name, ...args.map((arg) => (arg === KEY ? key : arg)));
      return null;
    } catch (error) {
      return error as Error;
    }
  };
  // All of them are sent in this turn, in the order of the table, and the removal of the key after them.
  const tries = serverProbes.map(({ commands }) => Promise.all(commands.map(send)));
  const removal = send(['DEL', key]);
  const errors = (await Promise.all(tries)).map((ofProbe) => ofProbe.find((error) => error !== null) ?? null);
  await removal;
  const away = errors.find((error) => error !== null && redisErrorKind(error) === 'unreachable');
  if (away) throw fromRedisError(away, 'CATALOG_UNAVAILABLE');
  // Where no script runs, nothing is known of what others would do.
  const noScript = errors[0] ?? null;
  const blamed = noScript === null ? undefined : lackThatMeans(noScript, connection.kind === 'cluster');
  return serverProbes.map((probe, index) => {
    if (probe.name === blamed) return { probe, outcome: 'lacking', said: noScript?.message ?? '' };
    const error = probe.name === INFO && runId === '' ? new Error('hidden') : (errors[index] ?? null);
    if (error === null) return { probe, outcome: 'there', said: '' };
    const isUntried = noScript !== null && probe.commands.some(([name]) => name === 'EVAL');
    return { probe, outcome: isUntried ? 'refused' : outcomeOf(probe, error), said: error.message };
  });
}

function outcomeOf({ needed: isNeeded, commands }: ServerProbe, error: Error): ProbeResult['outcome'] {
  const kind = redisErrorKind(error);
  if (redisRefusal(error) === 'command' || (!isNeeded && kind === 'credentials')) return 'lacking';
  if (kind !== 'fatal') return 'refused';
  // A server that complains of how a command is used has the command.
  return commands.every(([name]) => name === 'EVAL') ? 'lacking' : 'there';
}

/** Which probe the refusal of every script speaks of. */
function lackThatMeans(error: Error, isCluster: boolean): string | undefined {
  if (/undeclared key|Dynamic keys are not allowed/i.test(error.message)) return KEYS_IN_SCRIPTS;
  // In a cluster keys may be on their way to another node.
  if (/^(?:ERR )?(?:MOVED|CROSSSLOT)\b/.test(error.message)) return isCluster ? undefined : ONE_SERVER;
  return redisRefusal(error) === 'command' ? SCRIPTS : undefined;
}
