import { HoldfastError, type ErrorCode } from '@holdfast/foundation/errors';

/**
 * What an error of Redis or ioredis means for the caller.
 * unreachable: no answer, the command may or may not have run. refused: the server is there and did nothing; it may later.
 * demoted: we talk to a replica or a master that lost its role. credentials: login, rights, database or certificate, so the settings.
 * fatal: our bug, or data that is not ours.
 */
export type RedisErrorKind = 'unreachable' | 'refused' | 'demoted' | 'credentials' | 'fatal';

/** Why a server refuses for longer than a moment. `unknown`: its words are not listed here. */
export type RedisRefusal =
  | 'quota'
  | 'capacity'
  | 'connections'
  | 'request_size'
  | 'command'
  | 'memory'
  | 'disk'
  | 'replicas'
  | 'unknown';

/** What an error of Redis means, and what an operator can do about it. */
export interface RedisFault {
  kind: RedisErrorKind;
  /** Null where nothing is refused, or only for a moment. */
  refusal: RedisRefusal | null;
  /** A sentence about Redis, in words without addresses or secrets. */
  message: string;
  /** The reason in it, as the end of a sentence. */
  why: string;
  fix: string;
  /** Code of the finding. */
  code: 'REDIS_UNREACHABLE' | 'REDIS_QUOTA' | 'REDIS_FULL' | 'REDIS_CONNECTIONS' | 'WRITES_REFUSED';
  /** When a client should try again: plans change rarely. */
  retryAfterSeconds: number;
}

type Row = readonly [pattern: RegExp, why: string, fix: string];

const CLOCK = 'Renew the certificate of the server, or set the clock of this machine right.';
const TRUST =
  'Set REDIS_TLS_CA to a file with the CA certificate of the provider. If it has none (Heroku), set REDIS_TLS_VERIFY=false: the connection stays encrypted, but another server could pose as this one.';

/**
 * These tables hold what Redis, ioredis and TLS say: the first words of an error, its code or its name. The first row that fits counts.
 * What rented servers answer is quoted from their documentation and from logs of their users (docs/redis.md).
 */
const credentials: readonly Row[] = [
  [
    /^(?:WRONGPASS|NOAUTH|ERR (?:Client sent AUTH|AUTH))/,
    'it refuses the login',
    'Correct the user and the password.',
  ],
  [
    /^(?:NOPERM|ERR ACL)/,
    'its user has no right to a command, or to our keys',
    'Give the user the rights in docs/operations.md.',
  ],
  [
    /^ERR (?:(?:invalid )?DB index|SELECT |Only 0th database)/,
    'it has no database of this number',
    'Leave out the number at the end of REDIS_URL, and set REDIS_PREFIX where others use the server.',
  ],
  [
    /cluster support disabled/,
    'it is not a node of a cluster',
    'Set REDIS_URL instead of REDIS_CLUSTER_NODES.',
  ],
  [
    /unknown command [`'"]?sentinel/i,
    'a Redis answers there, not a Sentinel',
    'Name the Sentinels (their usual port is 26379) in REDIS_SENTINELS, or set REDIS_URL to this server.',
  ],
  [/^DEPTH_ZERO_SELF_SIGNED_CERT/, 'its certificate is self-signed', TRUST],
  [
    /^(?:SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF))/,
    'its certificate is signed by an unknown authority',
    TRUST,
  ],
  [/^CERT_(?:HAS_EXPIRED|NOT_YET_VALID)/, 'its certificate has expired, or is not valid yet', CLOCK],
  [
    /^ERR_TLS_CERT_ALTNAME/,
    'its certificate is for other names',
    'Use one of these names in the address of Redis (redis.connection_error in the log has them), or a certificate for the present one.',
  ],
  [
    /^(?:CERT_|ERR_TLS_CERT|UNABLE_TO_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)/,
    'its certificate is not accepted',
    TRUST,
  ],
];

const unreachable: readonly Row[] = [
  [/^(?:ENOTFOUND|EAI_)/, 'its name cannot be resolved', 'Correct the host in REDIS_URL, or the DNS.'],
  [/^ECONNREFUSED/, 'nothing listens there', 'Start Redis, or correct host and port.'],
  [/^ENOENT/, 'its socket is not there', 'Start Redis, or correct the path of the socket.'],
  [/^ERR_SSL_WRONG_VERSION/, 'it speaks without TLS', 'Use "redis:" in the address.'],
  // ioredis tells the first byte of an invalid reply.
  [
    /^Unknown RESP type 72\b/,
    'what listens there is not Redis: an HTTP server answers',
    'Correct host and port.',
  ],
  [
    /^Unknown RESP type/,
    'what listens there is not Redis: another program answers',
    'Correct host and port.',
  ],
  [
    /^(?:ECONN|EHOST|ENET|EPIPE|EPROTO|ETIMEDOUT|NR_CLOSED|connect |(?:read|write) E|Socket timeout|Connection is closed|Stream isn't writeable|Command timed out|Reached the max retries|Cluster isn't ready|Failed to refresh slots cache|All sentinels are unreachable|None of startup nodes|Too many Cluster redirections|MaxRetriesPerRequestError|AbortError|ClusterAllFailedError)/i,
    'it does not answer, or ends each connection',
    'Look at the Redis server, at its log, and for a firewall in between. Use "rediss:" in the address if it speaks TLS, otherwise "redis:".',
  ],
];

const UNEXPECTED: Row = [
  /^(?:WRONGTYPE|CROSSSLOT|NOSCRIPT|BUSYKEY|BUSYGROUP|NOGROUP|ERR (?:wrong number of|syntax error|value is|invalid |no such key|index out of|increment|hash value|offset|min or max|timeout is|Error running script|@?user_script:))/,
  'it answers in an unexpected way',
  'Look at the warnings redis.connection_error in the log.',
];

interface Refusal extends Partial<Pick<RedisFault, 'kind' | 'code' | 'retryAfterSeconds'>> {
  pattern: RegExp;
  refusal?: RedisRefusal;
  /** What the server refuses, and why. */
  refuses: readonly [what: string, why: string];
  fix: string;
}

const BY_ITSELF = 'Everything then resumes by itself.';
const A_MOMENT = 'Wait a moment. If it stays, look at the log of Redis.';

const refusals: readonly Refusal[] = [
  // An upgrade of the service, which passes. Any other READONLY is a master that lost its role.
  {
    pattern: /^READONLY Writes are temporarily/,
    refuses: ['writes', 'it is being upgraded'],
    fix: A_MOMENT,
  },
  {
    pattern: /^(?:READONLY|UNBLOCKED|MASTERDOWN)/,
    kind: 'demoted',
    refuses: ['writes', 'it is a replica now, and Holdfast is looking for the master'],
    fix: 'If it stays, set the address of the master, or REDIS_SENTINELS.',
  },
  {
    pattern: /^(?:OOM|ERR Out of memory|Out of memory)/,
    refusal: 'memory',
    refuses: ['writes', 'its memory is full'],
    fix: 'Raise "maxmemory", or move to a larger plan.',
  },
  {
    pattern: /^MISCONF/,
    refusal: 'disk',
    refuses: ['writes', 'it cannot write to its disk'],
    fix: 'Free space on the disk of the Redis server.',
  },
  {
    pattern: /^NOREPLICAS/,
    refusal: 'replicas',
    refuses: ['writes', 'it has too few replicas'],
    fix: 'Start the replicas, or lower "min-replicas-to-write".',
  },
  {
    pattern: /^LOADING/,
    refuses: ['all commands', 'it is loading its data'],
    fix: `Wait until it has finished. ${BY_ITSELF}`,
  },
  {
    pattern: /^BUSY /,
    refuses: ['all commands', 'a script that does not end blocks it'],
    fix: `Find out whose script it is, and end it ("SCRIPT KILL"). ${BY_ITSELF}`,
  },
  {
    pattern: /^CLUSTERDOWN/,
    refuses: ['all commands', 'a part of the slots of the cluster has no master'],
    fix: `Look at "CLUSTER INFO", and start the nodes that are missing. ${BY_ITSELF}`,
  },
  {
    pattern: /^(?:TRYAGAIN|MOVED|ASK )/,
    refuses: ['commands', 'slots of the cluster are moving'],
    fix: A_MOMENT,
  },
  {
    pattern: /^ERR max (?:daily |monthly )?(?:requests?|commands?|bandwidth) limit exceeded/,
    refusal: 'quota',
    refuses: ['all commands', 'those of its plan are used up'],
    fix: `Move to a larger plan, or wait for the next period of this one. ${BY_ITSELF} docs/redis.md says how many commands Holdfast needs.`,
    code: 'REDIS_QUOTA',
    retryAfterSeconds: 60,
  },
  {
    pattern: /^ERR DB capacity quota exceeded/,
    refusal: 'capacity',
    refuses: ['writes', 'its database has reached the size that its plan allows'],
    fix: `Move to a larger plan, or delete what else is in this database. ${BY_ITSELF}`,
    code: 'REDIS_FULL',
    retryAfterSeconds: 30,
  },
  {
    pattern: /^ERR max (?:concurrent connections exceeded|number of clients)/,
    refusal: 'connections',
    refuses: ['connections', 'its connection limit is reached'],
    fix: `Allow more connections ("maxclients", or a larger plan), or run fewer processes. ${BY_ITSELF} docs/scaling.md says how many Holdfast needs.`,
    code: 'REDIS_CONNECTIONS',
    retryAfterSeconds: 10,
  },
  {
    pattern:
      /^ERR (?:max (?:request|single record|record|key) size exceeded|Protocol error: (?:invalid|too big) )/,
    refusal: 'request_size',
    refuses: ['a request', 'it is larger than the server allows'],
    fix: 'Set REDIS_PROFILE to the service, or move to a larger plan.',
    retryAfterSeconds: 30,
  },
  {
    pattern:
      /^ERR (?:Command is not available|unknown (?:Redis )?command|unknown subcommand|This Redis command is not allowed|.{0,60}\b(?:not supported|not allowed|disabled)\b)/i,
    refusal: 'command',
    refuses: ['a command', 'it does not offer all that Holdfast needs'],
    fix: 'Use a service that docs/redis.md lists.',
    retryAfterSeconds: 60,
  },
];

const isAway =
  (kind: RedisErrorKind) =>
  ([pattern, why, fix]: Row): readonly [RegExp, RedisFault] => {
    const retryAfterSeconds = kind === 'credentials' ? 30 : 2;
    const message = `Redis does not serve: ${why}`;
    return [
      pattern,
      { kind, refusal: null, message, why, fix, code: 'REDIS_UNREACHABLE', retryAfterSeconds },
    ];
  };

function isRefused({ pattern, refuses: [what, why], ...row }: Refusal): readonly [RegExp, RedisFault] {
  const usual = { kind: 'refused', refusal: null, code: 'WRITES_REFUSED', retryAfterSeconds: 2 } as const;
  return [pattern, { ...usual, message: `Redis refuses ${what}: ${why}`, why, ...row }];
}

const faults: readonly (readonly [RegExp, RedisFault])[] = [
  ...credentials.map(isAway('credentials')),
  ...refusals.map(isRefused),
  isAway('fatal')(UNEXPECTED),
  ...unreachable.map(isAway('unreachable')),
];

const [, fatal] = isAway('fatal')(UNEXPECTED);
const [, unknown] = isRefused({
  pattern: /^/,
  refusal: 'unknown',
  refuses: ['commands', 'the reason is unknown'],
  fix: 'See the log for what Redis said, and look at the console of the service.',
  retryAfterSeconds: 10,
});

/** Before what a command inside a script answered, on servers before Redis 7, KeyDB and Dragonfly. */
const inScript = /^ERR Error running script \(call to [^)]*\): (?:@?user_script: ?\d+: )*-?(?=\S)/;

/** What an error means. Of one of ours that Redis caused, what its cause means. */
export function redisFault(error: unknown): RedisFault {
  if (error instanceof HoldfastError) return redisFault(error.cause);
  if (!(error instanceof Error)) return fatal;
  const { code, previousErrors } = error as { code?: unknown; previousErrors?: unknown[] };
  // A transaction that was discarded as a whole says why in the errors of its commands.
  const [discarded] = error.message.startsWith('EXECABORT') ? (previousErrors ?? []) : [];
  if (discarded !== undefined) return redisFault(discarded);
  const text = error.message.replace(inScript, '');
  const said = [text, error.name, ...(typeof code === 'string' ? [code] : [])];
  const known = faults.find(([pattern]) => said.some((words) => pattern.test(words)));
  if (known !== undefined) return known[1];
  // Our commands are tried on real servers, so a reply that no such server gives is a service that refuses. What fails
  // inside a script, after its own name, is a bug of the script.
  return error.name === 'ReplyError' && text === error.message ? unknown : fatal;
}

export function redisErrorKind(error: unknown): RedisErrorKind {
  return redisFault(error).kind;
}

export function redisRefusal(error: unknown): RedisRefusal | null {
  return redisFault(error).refusal;
}

/**
 * Any error of a Redis call as ours: `code` when Redis cannot serve now, else INTERNAL.
 * Used at the edge of every module that talks to Redis.
 */
export function fromRedisError(error: unknown, code: ErrorCode): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const { kind, refusal, message, retryAfterSeconds } = redisFault(error);
  if (kind === 'fatal') return new HoldfastError('INTERNAL', undefined, { cause: error });
  return new HoldfastError(code, refusal === null ? undefined : message, { cause: error, retryAfterSeconds });
}
