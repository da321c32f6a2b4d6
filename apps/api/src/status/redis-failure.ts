import type { Finding, RedisOutage } from '@holdfast/shared/durability';
import { HoldfastError } from '@holdfast/foundation/errors';
import {
  certificateFault,
  connectionError,
  redisErrorKind,
  redisRefusal,
  refusals,
  type RedisClient,
  type RedisRefusal,
} from '@holdfast/shared/redis';

/** Why Redis does not serve. */
export interface RedisFailure {
  /** In words without addresses or secrets. */
  message: string;
  /** True when the server answers and only takes no writes: reads may work. */
  connected: boolean;
  /** What an operator can do about it. */
  finding: Finding;
}

const BY_ITSELF = 'Everything goes on by itself then.';

/** Refusals that last: the code of the finding, and what helps. */
const remedies: Record<RedisRefusal, readonly [code: string, fix: string]> = {
  quota: [
    'REDIS_QUOTA',
    `Move to a larger plan, or wait for the next period of this one. ${BY_ITSELF} docs/redis.md says how many commands Holdfast needs.`,
  ],
  capacity: ['REDIS_FULL', `Move to a larger plan, or delete what else is in this database. ${BY_ITSELF}`],
  connections: [
    'REDIS_CONNECTIONS',
    `Allow more connections ("maxclients", or a larger plan), or run fewer processes. ${BY_ITSELF} docs/scaling.md says how many Holdfast needs.`,
  ],
  request_size: ['WRITES_REFUSED', 'Set REDIS_PROFILE to the service, or move to a larger plan.'],
  command: ['WRITES_REFUSED', 'Use a service that docs/redis.md lists.'],
  memory: ['WRITES_REFUSED', 'Raise "maxmemory", or move to a larger plan.'],
  disk: ['WRITES_REFUSED', 'Free space on the disk of the Redis server.'],
  replicas: ['WRITES_REFUSED', 'Start the replicas, or lower "min-replicas-to-write".'],
  unknown: [
    'WRITES_REFUSED',
    'Look at the log, which has what Redis said, and at the console of the service.',
  ],
};

/** Other refusals, by the first words of the server. The last one fits all. */
const refusedForNow: readonly (readonly [said: RegExp, message: string, fix: string])[] = [
  [/^LOADING/, 'Redis is loading its data', 'Wait until it has. Everything goes on by itself.'],
  [
    /^BUSY/,
    'A script that does not end holds up Redis',
    `Find out whose script it is, and end it ("SCRIPT KILL"). ${BY_ITSELF}`,
  ],
  [
    /^CLUSTERDOWN/,
    'The Redis Cluster does not serve: a part of its slots has no master',
    `Look at "CLUSTER INFO", and start the nodes that are missing. ${BY_ITSELF}`,
  ],
  [/^/, 'Redis refuses writes', 'Wait a moment. If it stays, look at the log of Redis.'],
];

/** Errors of the settings, by the first words of the server. */
const ofSettings: readonly (readonly [said: RegExp, message: string])[] = [
  [/^(?:NOPERM|ERR ACL failure)/, 'The user of Redis has no right to a command, or to our keys'],
  [/DB index is out of range/, 'Redis has no database of the number in REDIS_URL'],
  [/cluster support disabled/, 'Redis is no cluster, and REDIS_CLUSTER_NODES is set'],
];

/** What an error of one of these connections means. */
export async function redisFailure(
  error: unknown,
  connections: readonly RedisClient[],
  outage: RedisOutage,
): Promise<RedisFailure> {
  const cause = error instanceof HoldfastError ? error.cause : error;
  const isAway = redisErrorKind(cause) === 'unreachable';
  // Between two tries to connect, what the server said at the last one.
  const said = isAway ? (connections.map(connectionError).find(Boolean) ?? cause) : cause;
  const kind = redisErrorKind(said);
  const text = said instanceof Error ? said.message : '';
  const refusal = redisRefusal(said);
  if (kind === 'demoted')
    return refused(
      'Redis is a replica now, the master is being looked for',
      'Make it the master again ("REPLICAOF NO ONE"), or set the address of the master.',
    );
  if (refusal !== null) return refusedFor(refusal, connections[0]?.status === 'ready');
  if (kind === 'refused') {
    const [, message, fix] = refusedForNow.find(([pattern]) => pattern.test(text)) ?? ['', '', ''];
    return refused(message, fix);
  }
  const isUntrusted = certificateFault(said) !== null;
  const message =
    ofSettings.find(([pattern]) => pattern.test(text))?.[1] ??
    (kind === 'credentials' && !isUntrusted
      ? 'Redis refuses the credentials'
      : kind === 'fatal' && !isAway
        ? 'Redis answers in an unexpected way'
        : 'Redis cannot be reached');
  return { message, connected: false, finding: await outage.explain(said) };
}

function refused(message: string, fix: string, code = 'WRITES_REFUSED'): RedisFailure {
  return {
    message,
    connected: true,
    finding: { code, severity: 'error', message: `${message}. Uploads are refused.`, fix },
  };
}

function refusedFor(refusal: RedisRefusal, isServing: boolean): RedisFailure {
  const [code, fix] = remedies[refusal];
  const failure = refused(refusals[refusal].message, fix, code);
  if (refusal !== 'connections') return failure;
  return { ...failure, connected: isServing, finding: isServing ? someRefused : failure.finding };
}

/** While some connections of this API are refused, and not the one that uploads need. */
export const someRefused: Finding = {
  code: remedies.connections[0],
  severity: 'warning',
  message: `${refusals.connections.message}. Some connections of this API are missing.`,
  fix: remedies.connections[1],
};

/** Uploads are refused, since the user of Redis may not call these commands. */
export function rightsMissing(commands: readonly string[]): RedisFailure {
  return refused(
    `The user of Redis has no right to ${commands.join(', ')}`,
    `Give the user the rights to these commands: "ACL SETUSER <name> ${commands.map((name) => `+${name.toLowerCase()}`).join(' ')}".`,
    'RIGHTS_MISSING',
  );
}
