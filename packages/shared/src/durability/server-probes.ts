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

/** Stands for the key of one try: a sorted set with one member, once the first script has run. */
const KEY = '<key>';
const script = (text: string): readonly string[] => ['EVAL', text, '1', KEY];

const OTHER_SERVER = 'Use Redis 7.2 or newer, Valkey, or one of the services in docs/redis.md.';

type Row = Omit<ServerProbe, 'name' | 'needed'>;

/** Whatever else is lacking is refused when it is used: jobs wait, and health says so. */
const needed = {
  Scripts: {
    commands: [script(`redis.call('ZADD', KEYS[1], 1, 'a') redis.call('EXPIRE', KEYS[1], 60)`)],
    means: 'Every change of the catalog and of the queues is one script.',
    fix: `Allow EVAL and EVALSHA. ${OTHER_SERVER}`,
  },
  'Keys in scripts': {
    commands: [script(`redis.call('EXISTS', KEYS[1] .. '-undeclared')`)],
    means: 'Scripts build the names of keys from the one that they are given.',
    fix: 'Start Dragonfly with --default_lua_flags=allow-undeclared-keys.',
  },
  'Keys on one server': {
    commands: [script('return 1')],
    means: 'This is one node of a cluster, and our keys lie on another.',
    fix: 'Set REDIS_CLUSTER_NODES instead of REDIS_URL.',
  },
  cjson: {
    commands: [script('cjson.decode(cjson.encode({ 1 }))')],
    means: 'Records are read and written with it.',
    fix: OTHER_SERVER,
  },
  cmsgpack: {
    commands: [script('cmsgpack.unpack(cmsgpack.pack({ 1 }))')],
    means: 'BullMQ passes jobs in it.',
    fix: OTHER_SERVER,
  },
  ZMSCORE: {
    commands: [script(`redis.call('ZMSCORE', KEYS[1], 'a', 'b')`)],
    means: 'Indexes and deletions use it.',
    fix: 'Use Redis 6.2 or newer, or Valkey.',
  },
  Transactions: {
    commands: [['MULTI'], script('return 1'), ['EXEC']],
    means: 'Jobs are added by several scripts in one transaction.',
    fix: 'Connect to the server itself, without a proxy that does not know MULTI. ElastiCache Serverless refuses scripts there: use nodes.',
  },
  'Blocking commands': {
    // What the first script has put there is taken at once. Where it could not it waits for a second.
    commands: [['BZPOPMIN', KEY, '1']],
    means: 'Workers wait for jobs with BZPOPMIN.',
    fix: 'Connect to the server itself, without a proxy that does not know blocking commands.',
  },
} satisfies Record<string, Row>;

const used = {
  INFO: {
    // The facts say whether it is answered.
    commands: [],
    means: 'A restart of the server is not noticed: what it lost comes back with the next full sync.',
    fix: 'Let the user of Redis run INFO. A rented server may hide its run id: then nothing, where every write is synced to disk.',
  },
  ROLE: {
    commands: [['ROLE']],
    means: 'With DURABILITY_REPLICAS, INFO or a write tells whether the master answers a read-back.',
    fix: 'Let the user of Redis run ROLE; a rented server may not offer it.',
  },
  WAIT: {
    commands: [['WAIT', '0', '1']],
    means: 'No record becomes "replicated".',
    fix: 'Leave DURABILITY_REPLICAS at 0, or use a server that offers WAIT.',
  },
  WAITAOF: {
    commands: [['WAITAOF', '0', '0', '1']],
    means: 'No record becomes "fsynced".',
    fix: 'Use Redis 7.2 or newer, or Valkey, where that level is needed.',
  },
  'CLIENT LIST': {
    commands: [['CLIENT', 'LIST']],
    means: 'A worker that was killed counts as alive for 150 s.',
    fix: 'Let the user of Redis run CLIENT LIST.',
  },
} satisfies Record<string, Row>;

/** What Holdfast and BullMQ use of a server and some servers lack. */
export const serverProbes: readonly ServerProbe[] = [
  ...Object.entries(needed).map(([name, row]) => ({ name, needed: true, ...row })),
  ...Object.entries(used).map(([name, row]) => ({ name, needed: false, ...row })),
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
    const error = probe.name === 'INFO' && runId === '' ? new Error('hidden') : (errors[index] ?? null);
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
function lackThatMeans(error: Error, isCluster: boolean): keyof typeof needed | undefined {
  if (/undeclared key|Dynamic keys are not allowed/i.test(error.message)) return 'Keys in scripts';
  // In a cluster keys may be on their way to another node.
  if (/^(?:ERR )?(?:MOVED|CROSSSLOT)\b/.test(error.message))
    return isCluster ? undefined : 'Keys on one server';
  return redisRefusal(error) === 'command' ? 'Scripts' : undefined;
}
