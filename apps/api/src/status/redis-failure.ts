import type { Finding, RedisOutage } from '@holdfast/shared/durability';
import { HoldfastError } from '@holdfast/foundation/errors';
import {
  certificateFault,
  connectionError,
  redisErrorKind,
  redisRefusal,
  refusals,
  type RedisClient,
  type RedisErrorKind,
  type RedisRefusal,
} from '@holdfast/shared/redis';

/** Why Redis does not serve. */
export interface RedisFailure {
  /** In words without addresses or secrets. */
  message: string;
  /** True when the server answers and only takes no writes: reads may work. */
  connected: boolean;
  /** What an operator can do about it, where that follows from the answer. */
  findings: readonly Finding[];
}

const messages: Record<Exclude<RedisErrorKind, 'refused'>, string> = {
  unreachable: 'Redis cannot be reached',
  demoted: 'Redis is a replica now, the master is being looked for',
  credentials: 'Redis refuses the credentials',
  fatal: 'Redis answers in an unexpected way',
};

/** Where the login is right, or Redis there, and the settings are not: by what the server said. */
const ofSettings: readonly (readonly [pattern: RegExp, message: string])[] = [
  [/^(?:NOPERM|ERR ACL failure)/, 'The user of Redis has no right to a command, or to our keys'],
  [/DB index is out of range/, 'Redis has no database of the number in REDIS_URL'],
  [/cluster support disabled/, 'Redis is no cluster, and REDIS_CLUSTER_NODES is set'],
];

/** Refusals of a moment, by the first word of what the server said. */
const ofAMoment: Readonly<Record<string, { message: string; fix: string }>> = {
  LOADING: { message: 'Redis is loading its data', fix: 'Wait until it has. Everything goes on by itself.' },
  BUSY: {
    message: 'A script that does not end holds up Redis',
    fix: 'Find out whose script it is, and end it ("SCRIPT KILL"). Everything goes on by itself then.',
  },
  CLUSTERDOWN: {
    message: 'The Redis Cluster does not serve: a part of its slots has no master',
    fix: 'Look at "CLUSTER INFO", and start the nodes that are missing. Everything goes on by itself then.',
  },
};

const BY_ITSELF = 'Everything goes on by itself then.';

/** What an operator can do about a refusal. */
const findingOf: Record<RedisRefusal, Omit<Finding, 'message'>> = {
  quota: {
    code: 'REDIS_QUOTA',
    severity: 'error',
    fix: `Move to a larger plan, or wait for the next period of this one. ${BY_ITSELF} docs/redis.md says how many commands Holdfast needs.`,
  },
  capacity: {
    code: 'REDIS_FULL',
    severity: 'error',
    fix: `Move to a larger plan, or delete what else is in this database. ${BY_ITSELF}`,
  },
  connections: {
    code: 'REDIS_CONNECTIONS',
    severity: 'error',
    fix: `Allow more connections ("maxclients", or a larger plan), or run fewer processes. ${BY_ITSELF} docs/scaling.md says how many Holdfast needs.`,
  },
  request_size: {
    code: 'WRITES_REFUSED',
    severity: 'error',
    fix: 'Set REDIS_PROFILE to the service, or move to a larger plan.',
  },
  command: { code: 'WRITES_REFUSED', severity: 'error', fix: 'Use a service that docs/redis.md lists.' },
  memory: { code: 'WRITES_REFUSED', severity: 'error', fix: 'Raise "maxmemory", or move to a larger plan.' },
  disk: { code: 'WRITES_REFUSED', severity: 'error', fix: 'Free space on the disk of the Redis server.' },
  replicas: {
    code: 'WRITES_REFUSED',
    severity: 'error',
    fix: 'Start the replicas, or lower "min-replicas-to-write".',
  },
  unknown: {
    code: 'WRITES_REFUSED',
    severity: 'error',
    fix: 'Look at the log, which has what Redis said, and at the console of the service.',
  },
};

/** Uploads are refused, since the user of Redis may not call these commands. */
export function rightsMissing(commands: readonly string[]): RedisFailure {
  const message = `The user of Redis has no right to ${commands.join(', ')}`;
  return {
    message,
    connected: true,
    findings: [
      {
        code: 'RIGHTS_MISSING',
        severity: 'error',
        message: `${message}. Uploads are refused.`,
        fix: `Give the user the rights to these commands: "ACL SETUSER <name> ${commands.map((name) => `+${name.toLowerCase()}`).join(' ')}".`,
      },
    ],
  };
}

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
  if (kind === 'refused') return refusedFor(redisRefusal(said), text, connections[0]?.status === 'ready');
  if (kind === 'demoted') return demoted;
  const isUntrusted = certificateFault(said) !== null;
  const known = isUntrusted || (isAway && kind === 'fatal') ? 'unreachable' : kind;
  const message = ofSettings.find(([pattern]) => pattern.test(text))?.[1] ?? messages[known];
  return { message, connected: false, findings: [await outage.explain(said)] };
}

/** The finding of a refusal, as it is told while uploads are refused. */
export function refusalFinding(refusal: RedisRefusal): Finding {
  return {
    ...findingOf[refusal],
    message: `${refusals[refusal].message}. Uploads are refused.`,
  };
}

/** While some connections of this API are refused, and not the one that uploads need. */
export const someRefused: Finding = {
  ...findingOf.connections,
  severity: 'warning',
  message: `${refusals.connections.message}. Some connections of this API are missing.`,
};

function refusedFor(refusal: RedisRefusal | null, text: string, isServing: boolean): RedisFailure {
  if (refusal === null) {
    const [word = ''] = text.split(' ');
    const { message, fix } = ofAMoment[word] ?? {
      message: 'Redis refuses writes',
      fix: 'Wait a moment. If it stays, look at the log of Redis.',
    };
    const finding = {
      code: 'WRITES_REFUSED',
      severity: 'error',
      message: `${message}. Uploads are refused.`,
      fix,
    } as const;
    return { message, connected: true, findings: [finding] };
  }
  const { message } = refusals[refusal];
  if (refusal === 'connections')
    return { message, connected: isServing, findings: [isServing ? someRefused : refusalFinding(refusal)] };
  return { message, connected: true, findings: [refusalFinding(refusal)] };
}

const demoted: RedisFailure = {
  message: messages.demoted,
  connected: true,
  findings: [
    {
      code: 'WRITES_REFUSED',
      severity: 'error',
      message: 'Redis is a replica now and takes no writes. Uploads are refused.',
      fix: 'Make it the master again ("REPLICAOF NO ONE"), or set the address of the master.',
    },
  ],
};
