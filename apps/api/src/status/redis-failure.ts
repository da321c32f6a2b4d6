import type { Finding } from '@holdfast/shared/durability';
import { HoldfastError } from '@holdfast/shared/errors';
import {
  connectionError,
  redisErrorKind,
  type RedisClient,
  type RedisErrorKind,
} from '@holdfast/shared/redis';
import type { RedisOutage } from './redis-outage.js';

/** Why Redis does not serve. */
export interface RedisFailure {
  /** In words without addresses or secrets. */
  message: string;
  /** True when the server answers and only takes no writes: reads may work. */
  connected: boolean;
  /** What an operator can do about it, where that follows from the answer. */
  findings: readonly Finding[];
}

const messages: Record<RedisErrorKind, string> = {
  unreachable: 'Redis cannot be reached',
  refused: 'Redis refuses writes',
  demoted: 'Redis is a replica now, the master is being looked for',
  credentials: 'Redis refuses the credentials',
  fatal: 'Redis answers in an unexpected way',
};

/** Where the login is right, or Redis there, and the settings are not: by what the server said. */
const ofSettings: readonly (readonly [pattern: RegExp, message: string])[] = [
  [/^(?:NOPERM|ERR ACL failure)/, 'The user of Redis has no right to a command, or to our keys'],
  [/DB index is out of range/, 'Redis has no database of the number in REDIS_URL'],
];

/** What a refusal says by its first word: why, and the fix. */
const refusals: readonly (readonly [word: string, reason: string, fix: string])[] = [
  ['OOM', 'its memory is full', 'Raise "maxmemory", or move to a larger plan.'],
  ['MISCONF', 'it cannot write to its disk', 'Free space on the disk of the Redis server.'],
  ['NOREPLICAS', 'it has too few replicas', 'Start the replicas, or lower "min-replicas-to-write".'],
];

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

/** What an error of this connection means. */
export async function redisFailure(
  error: unknown,
  client: RedisClient,
  outage: RedisOutage,
): Promise<RedisFailure> {
  const cause = error instanceof HoldfastError ? error.cause : error;
  const kind = redisErrorKind(cause);
  if (kind === 'refused') return writesRefused(cause);
  const known = kind === 'unreachable' ? lastKnown(client) : kind;
  if (known === 'demoted') return demoted;
  // Between two tries to connect, what the server said at the last one.
  const said = kind === 'unreachable' ? connectionError(client) : cause;
  const text = said instanceof Error ? said.message : '';
  const message = ofSettings.find(([pattern]) => pattern.test(text))?.[1] ?? messages[known];
  return { message, connected: false, findings: [await outage.explain(said ?? cause)] };
}

/** Between two tries to connect, what the server said at the last one. */
function lastKnown(client: RedisClient): RedisErrorKind {
  const kind = redisErrorKind(connectionError(client));
  return kind === 'credentials' || kind === 'demoted' ? kind : 'unreachable';
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

function writesRefused(cause: unknown): RedisFailure {
  const text = cause instanceof Error ? cause.message : '';
  const known = refusals.find(([word]) => text.startsWith(word));
  if (known === undefined) return { message: messages.refused, connected: true, findings: [] };
  const [, reason, fix] = known;
  const message = `${messages.refused}: ${reason}`;
  return {
    message,
    connected: true,
    findings: [
      { code: 'WRITES_REFUSED', severity: 'error', message: `${message}. Uploads are refused.`, fix },
    ],
  };
}
