import { HoldfastError, type ErrorCode } from '@holdfast/foundation/errors';

/**
 * What an error of Redis or ioredis means for the caller.
 * unreachable: no answer, the command may or may not have run. refused: the server is there and did nothing; it may later.
 * demoted: we talk to a replica or a master that lost its role. credentials: login, rights, database or certificate, so the settings.
 * fatal: our bug, or data that is not ours.
 */
export type RedisErrorKind = 'unreachable' | 'refused' | 'demoted' | 'credentials' | 'fatal';

/** Why a server refuses for longer than a moment. `unknown`: its words are not listed here. */
export type RedisRefusal = Exclude<Reason, RedisErrorKind | 'passing'>;

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
  code: (typeof reasons)[Reason][2];
  /** When a client should try again: plans change rarely. */
  retryAfterSeconds: number;
}

type Reason = keyof typeof reasons;

/**
 * Why Redis does not do what it was asked, and what follows from that alone: the kind, the start of the message, the code, and after how
 * many seconds to try again. `passing`: it refuses for a moment.
 */
const reasons = {
  credentials: ['credentials', 'does not serve', 'REDIS_UNREACHABLE', 30],
  unreachable: ['unreachable', 'does not serve', 'REDIS_UNREACHABLE', 2],
  fatal: ['fatal', 'does not serve', 'REDIS_UNREACHABLE', 2],
  demoted: ['demoted', 'refuses writes', 'WRITES_REFUSED', 2],
  passing: ['refused', 'refuses commands', 'WRITES_REFUSED', 2],
  memory: ['refused', 'refuses writes', 'WRITES_REFUSED', 2],
  disk: ['refused', 'refuses writes', 'WRITES_REFUSED', 2],
  replicas: ['refused', 'refuses writes', 'WRITES_REFUSED', 2],
  quota: ['refused', 'refuses all commands', 'REDIS_QUOTA', 60],
  capacity: ['refused', 'refuses writes', 'REDIS_FULL', 30],
  connections: ['refused', 'refuses connections', 'REDIS_CONNECTIONS', 10],
  request_size: ['refused', 'refuses a request', 'WRITES_REFUSED', 30],
  command: ['refused', 'refuses a command', 'WRITES_REFUSED', 60],
  unknown: ['refused', 'refuses commands', 'WRITES_REFUSED', 10],
} as const;

function faultOf(reason: Reason, why: string, fix: string): RedisFault {
  const [kind, does, code, retryAfterSeconds] = reasons[reason];
  const refusal = kind === 'refused' && reason !== 'passing' ? (reason as RedisRefusal) : null;
  return { kind, refusal, message: `Redis ${does}: ${why}`, why, fix, code, retryAfterSeconds };
}

const CLOCK = 'Renew the certificate of the server, or set the clock of this machine right.';
const TRUST =
  'Set REDIS_TLS_CA to a file with the CA certificate of the provider. If it has none (Heroku), set REDIS_TLS_VERIFY=false: the connection stays encrypted, but another server could pose as this one.';
const BY_ITSELF = 'Everything then resumes by itself.';
const A_MOMENT = 'Wait a moment. If it stays, look at the log of Redis.';
const UNEXPECTED = [
  'fatal',
  'it answers in an unexpected way',
  'Look at the warnings redis.connection_error in the log.',
] as const;

/**
 * What Redis, ioredis and TLS say: the first words of an error, its code or its name. The first row that fits counts. What rented
 * servers answer is quoted from their documentation and from logs of their users (docs/redis.md).
 */
const faults: readonly (readonly [pattern: RegExp, reason: Reason, why: string, fix: string])[] = [
  [
    /^(?:WRONGPASS|NOAUTH|ERR (?:Client sent AUTH|AUTH))/,
    'credentials',
    'it refuses the login',
    'Correct the user and the password.',
  ],
  [
    /^(?:NOPERM|ERR ACL)/,
    'credentials',
    'its user has no right to a command, or to our keys',
    'Give the user the rights in docs/operations.md.',
  ],
  [
    /^ERR (?:(?:invalid )?DB index|SELECT |Only 0th database)/,
    'credentials',
    'it has no database of this number',
    'Leave out the number at the end of REDIS_URL, and set REDIS_PREFIX where others use the server.',
  ],
  [
    /cluster support disabled/,
    'credentials',
    'it is not a node of a cluster',
    'Set REDIS_URL instead of REDIS_CLUSTER_NODES.',
  ],
  [
    /unknown command [`'"]?sentinel/i,
    'credentials',
    'a Redis answers there, not a Sentinel',
    'Name the Sentinels (their usual port is 26379) in REDIS_SENTINELS, or set REDIS_URL to this server.',
  ],
  [/^DEPTH_ZERO_SELF_SIGNED_CERT/, 'credentials', 'its certificate is self-signed', TRUST],
  [
    /^(?:SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF))/,
    'credentials',
    'its certificate is signed by an unknown authority',
    TRUST,
  ],
  [
    /^CERT_(?:HAS_EXPIRED|NOT_YET_VALID)/,
    'credentials',
    'its certificate has expired, or is not valid yet',
    CLOCK,
  ],
  [
    /^ERR_TLS_CERT_ALTNAME/,
    'credentials',
    'its certificate is for other names',
    'Use one of these names in the address of Redis (redis.connection_error in the log has them), or a certificate for the present one.',
  ],
  [
    /^(?:CERT_|ERR_TLS_CERT|UNABLE_TO_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)/,
    'credentials',
    'its certificate is not accepted',
    TRUST,
  ],
  [/^READONLY Writes are temporarily/, 'passing', 'it takes no writes while it is upgraded', A_MOMENT],
  [
    /^(?:READONLY|UNBLOCKED|MASTERDOWN)/,
    'demoted',
    'it is a replica now, and Holdfast is looking for the master',
    'If it stays, set the address of the master, or REDIS_SENTINELS.',
  ],
  [
    /^(?:OOM|ERR Out of memory|Out of memory)/,
    'memory',
    'its memory is full',
    'Raise "maxmemory", or move to a larger plan.',
  ],
  [/^MISCONF/, 'disk', 'it cannot write to its disk', 'Free space on the disk of the Redis server.'],
  [
    /^NOREPLICAS/,
    'replicas',
    'it has too few replicas',
    'Start the replicas, or lower "min-replicas-to-write".',
  ],
  [/^LOADING/, 'passing', 'it is loading its data', `Wait until it has finished. ${BY_ITSELF}`],
  [
    /^BUSY /,
    'passing',
    'a script that does not end blocks it',
    `Find out whose script it is, and end it ("SCRIPT KILL"). ${BY_ITSELF}`,
  ],
  [
    /^CLUSTERDOWN/,
    'passing',
    'a part of the slots of the cluster has no master',
    `Look at "CLUSTER INFO", and start the nodes that are missing. ${BY_ITSELF}`,
  ],
  [/^(?:TRYAGAIN|MOVED|ASK )/, 'passing', 'slots of the cluster are moving', A_MOMENT],
  [
    /^ERR max (?:daily |monthly )?(?:requests?|commands?|bandwidth) limit exceeded/,
    'quota',
    'those of its plan are used up',
    `Move to a larger plan, or wait for the next period of this one. ${BY_ITSELF} docs/redis.md says how many commands Holdfast needs.`,
  ],
  [
    /^ERR DB capacity quota exceeded/,
    'capacity',
    'its database has reached the size that its plan allows',
    `Move to a larger plan, or delete what else is in this database. ${BY_ITSELF}`,
  ],
  [
    /^ERR max (?:concurrent connections exceeded|number of clients)/,
    'connections',
    'its connection limit is reached',
    `Allow more connections ("maxclients", or a larger plan), or run fewer processes. ${BY_ITSELF} docs/scaling.md says how many Holdfast needs.`,
  ],
  [
    /^ERR (?:max (?:request|single record|record|key) size exceeded|Protocol error: (?:invalid|too big) )/,
    'request_size',
    'it is larger than the server allows',
    'Set REDIS_PROFILE to the service, or move to a larger plan.',
  ],
  [
    /^ERR (?:Command is not available|unknown (?:Redis )?command|unknown subcommand|This Redis command is not allowed|.{0,60}\b(?:not supported|not allowed|disabled)\b)/i,
    'command',
    'it does not offer all that Holdfast needs',
    'Use a service that docs/redis.md lists.',
  ],
  [
    /^(?:WRONGTYPE|CROSSSLOT|NOSCRIPT|BUSYKEY|BUSYGROUP|NOGROUP|ERR (?:wrong number of|syntax error|value is|invalid |no such key|index out of|increment|hash value|offset|min or max|timeout is|Error running script|@?user_script:))/,
    ...UNEXPECTED,
  ],
  [
    /^(?:ENOTFOUND|EAI_)/,
    'unreachable',
    'its name cannot be resolved',
    'Correct the host in REDIS_URL, or the DNS.',
  ],
  [/^ECONNREFUSED/, 'unreachable', 'nothing listens there', 'Start Redis, or correct host and port.'],
  [/^ENOENT/, 'unreachable', 'its socket is not there', 'Start Redis, or correct the path of the socket.'],
  [/^ERR_SSL_WRONG_VERSION/, 'unreachable', 'it speaks without TLS', 'Use "redis:" in the address.'],
  // ioredis tells the first byte of an invalid reply.
  [
    /^Unknown RESP type 72\b/,
    'unreachable',
    'what listens there is not Redis: an HTTP server answers',
    'Correct host and port.',
  ],
  [
    /^Unknown RESP type/,
    'unreachable',
    'what listens there is not Redis: another program answers',
    'Correct host and port.',
  ],
  [
    /^(?:ECONN|EHOST|ENET|EPIPE|EPROTO|ETIMEDOUT|NR_CLOSED|connect |(?:read|write) E|Socket timeout|Connection is closed|Stream isn't writeable|Command timed out|Reached the max retries|Cluster isn't ready|Failed to refresh slots cache|All sentinels are unreachable|None of startup nodes|Too many Cluster redirections|MaxRetriesPerRequestError|AbortError|ClusterAllFailedError)/i,
    'unreachable',
    'it does not answer, or ends each connection',
    'Look at the Redis server, at its log, and for a firewall in between. Use "rediss:" in the address if it speaks TLS, otherwise "redis:".',
  ],
];

/** Before what a command inside a script answered, on servers before Redis 7, KeyDB and Dragonfly. */
const inScript = /^ERR Error running script \(call to [^)]*\): (?:@?user_script: ?\d+: )*-?(?=\S)/;

/** What an error means. Of one of ours that Redis caused, what its cause means. */
export function redisFault(error: unknown): RedisFault {
  if (error instanceof HoldfastError) return redisFault(error.cause);
  if (!(error instanceof Error)) return faultOf(...UNEXPECTED);
  const { code, previousErrors } = error as { code?: unknown; previousErrors?: unknown[] };
  // A transaction that was discarded as a whole says why in the errors of its commands.
  const [discarded] = error.message.startsWith('EXECABORT') ? (previousErrors ?? []) : [];
  if (discarded !== undefined) return redisFault(discarded);
  const text = error.message.replace(inScript, '');
  const said = [text, error.name, ...(typeof code === 'string' ? [code] : [])];
  const known = faults.find(([pattern]) => said.some((words) => pattern.test(words)));
  if (known !== undefined) return faultOf(known[1], known[2], known[3]);
  // Our commands are tried on real servers, so a reply that no such server gives is a service that refuses. What fails
  // inside a script, after its own name, is a bug of the script.
  return error.name === 'ReplyError' && text === error.message
    ? faultOf(
        'unknown',
        'the reason is unknown',
        'See the log for what Redis said, and look at the console of the service.',
      )
    : faultOf(...UNEXPECTED);
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
