import { HoldfastError, type ErrorCode } from '@holdfast/foundation/errors';

/**
 * What an error of Redis or ioredis means for the caller.
 * unreachable: no answer, the command may or may not have run. refused: the server is there and did nothing; it may later.
 * demoted: we talk to a replica or a master that lost its role. credentials: login, rights, database or certificate, so the settings.
 * fatal: our bug, or data that is not ours.
 */
export type RedisErrorKind = 'unreachable' | 'refused' | 'demoted' | 'credentials' | 'fatal';

/** Why a server refuses, for operators. `unknown`: it says something that is not listed here. */
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

interface Meaning {
  kind: RedisErrorKind;
  /** Null where nothing is refused, or only for a moment. */
  refusal: RedisRefusal | null;
}

const is = (kind: RedisErrorKind, refusal: RedisRefusal | null = null): Meaning => ({ kind, refusal });

/**
 * By the first words of the reply; the first that fits. What rented servers answer is quoted from their documentation and from
 * logs of their users (docs/redis.md).
 */
const byReply: readonly (readonly [RegExp, Meaning])[] = [
  // An upgrade of the service, which passes; any other is a master that lost its role.
  [/^READONLY Writes are temporarily rejected/, is('refused')],
  [/^(?:READONLY|UNBLOCKED|MASTERDOWN)/, is('demoted')],
  [/^(?:OOM|ERR Out of memory|Out of memory)/, is('refused', 'memory')],
  [/^MISCONF/, is('refused', 'disk')],
  [/^NOREPLICAS/, is('refused', 'replicas')],
  [/^(?:BUSY |CLUSTERDOWN|TRYAGAIN|LOADING|MOVED|ASK )/, is('refused')],
  [/^ERR max (?:daily |monthly )?(?:requests?|commands?|bandwidth) limit exceeded/, is('refused', 'quota')],
  [/^ERR DB capacity quota exceeded/, is('refused', 'capacity')],
  [/^ERR max (?:concurrent connections exceeded|number of clients)/, is('refused', 'connections')],
  [/^ERR max (?:request|single record|record|key) size exceeded/, is('refused', 'request_size')],
  [/^ERR Protocol error: (?:invalid|too big) /, is('refused', 'request_size')],
  [
    /^ERR (?:Command is not available|unknown (?:Redis )?command|unknown subcommand|This Redis command is not allowed)/i,
    is('refused', 'command'),
  ],
  [/^ERR This instance has cluster support disabled/, is('credentials')],
  [/^ERR .{0,60}\b(?:not supported|not allowed|disabled)\b/, is('refused', 'command')],
  [
    /^(?:NOAUTH|WRONGPASS|NOPERM|ERR ACL failure in script|ERR Client sent AUTH|ERR AUTH |ERR (?:invalid )?DB index)/,
    is('credentials'),
  ],
  [
    /^(?:WRONGTYPE|CROSSSLOT|NOSCRIPT|BUSYKEY|BUSYGROUP|NOGROUP|ERR (?:wrong number of|syntax error|value is|invalid |no such key|index out of|increment|hash value|offset|min or max|timeout is|Error running script|@?user_script:))/,
    is('fatal'),
  ],
  [
    /^(?:Command timed out|Connection is closed|Stream isn't writeable|Reached the max retries|Socket timeout|connect |read E|write E)/,
    is('unreachable'),
  ],
  [
    /^(?:Cluster isn't ready|Failed to refresh slots cache|All sentinels are unreachable|None of startup nodes|Too many Cluster redirections)/i,
    is('unreachable'),
  ],
];

const networkCode = /^(?:ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_|EHOST|ENET|ENOENT|NR_CLOSED)/;
const certificateCode =
  /^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)/;
const networkName = /^(?:MaxRetriesPerRequestError|AbortError|ClusterAllFailedError)$/;

/** Before what a command inside a script answered, on servers before Redis 7, KeyDB and Dragonfly. */
const inScript = /^ERR Error running script \(call to [^)]*\): (?:@?user_script: ?\d+: )*-?(?=\S)/;

function meaningOf(error: unknown): Meaning {
  if (!(error instanceof Error)) return is('fatal');
  // A transaction that was discarded as a whole says why in the errors of its commands.
  const previous = (error as { previousErrors?: unknown }).previousErrors;
  if (error.message.startsWith('EXECABORT') && Array.isArray(previous) && previous.length > 0)
    return meaningOf(previous[0]);
  const text = error.message.replace(inScript, '');
  const known = byReply.find(([pattern]) => pattern.test(text));
  if (known !== undefined) return known[1];
  const code = (error as { code?: unknown }).code;
  if (networkName.test(error.name) || (typeof code === 'string' && networkCode.test(code)))
    return is('unreachable');
  if (typeof code === 'string' && certificateCode.test(code)) return is('credentials');
  // Our commands are tried on real servers, so a reply that no such server gives is a service that refuses. What fails
  // inside a script, after its own name, is a bug of the script.
  const refused = error.name === 'ReplyError' && text === error.message;
  return refused ? is('refused', 'unknown') : is('fatal');
}

/** Told by the code of the error, or by the first words of the reply. */
export function redisErrorKind(error: unknown): RedisErrorKind {
  return meaningOf(error).kind;
}

/** Why the server refuses, of an error of Redis or of one of ours that it caused. */
export function redisRefusal(error: unknown): RedisRefusal | null {
  return meaningOf(error instanceof HoldfastError ? error.cause : error).refusal;
}

/** In words for operators and clients, without the server's own. And when a client should try again: plans change rarely. */
export const refusals: Record<RedisRefusal, { message: string; retryAfterSeconds: number }> = {
  quota: { message: 'Redis refuses all commands: those of its plan are used up', retryAfterSeconds: 60 },
  capacity: {
    message: 'Redis refuses writes: its database is as large as its plan allows',
    retryAfterSeconds: 30,
  },
  connections: {
    message: 'Redis refuses connections: it has as many as it allows',
    retryAfterSeconds: 10,
  },
  request_size: { message: 'Redis refuses a request that is larger than it allows', retryAfterSeconds: 30 },
  command: { message: 'Redis refuses a command that Holdfast needs', retryAfterSeconds: 60 },
  memory: { message: 'Redis refuses writes: its memory is full', retryAfterSeconds: 2 },
  disk: { message: 'Redis refuses writes: it cannot write to its disk', retryAfterSeconds: 2 },
  replicas: { message: 'Redis refuses writes: it has too few replicas', retryAfterSeconds: 2 },
  unknown: { message: 'Redis refuses commands for a reason that is not known', retryAfterSeconds: 10 },
};

/**
 * Any error of a Redis call as ours: `code` when Redis cannot serve now, else INTERNAL.
 * Used at the edge of every module that talks to Redis.
 */
export function fromRedisError(error: unknown, code: ErrorCode): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const { kind, refusal } = meaningOf(error);
  if (kind === 'fatal') return new HoldfastError('INTERNAL', undefined, { cause: error });
  if (refusal === null)
    return new HoldfastError(code, undefined, {
      cause: error,
      retryAfterSeconds: kind === 'credentials' ? 30 : 2,
    });
  const { message, retryAfterSeconds } = refusals[refusal];
  return new HoldfastError(code, message, { cause: error, retryAfterSeconds });
}

/** What is wrong with the certificate, as the end of a sentence about the server, and what helps. */
export interface CertificateFault {
  why: string;
  fix: string;
}

/** What can be done about an authority that is not known here. */
const TRUST =
  'Set REDIS_TLS_CA to a file with the CA certificate of the provider. Where it has none, as Heroku, set REDIS_TLS_VERIFY=false: the connection stays encrypted, but another server could pose as this one.';

/** By the code of the error. The first that fits. */
const certificateFaults: readonly (readonly [pattern: RegExp, why: string, fix: string])[] = [
  [
    /^DEPTH_ZERO_SELF_SIGNED_CERT/,
    'its certificate is self-signed',
    TRUST.replace('the CA certificate of the provider', 'that certificate'),
  ],
  [
    /^(?:SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF))/,
    'its certificate is signed by an unknown authority',
    TRUST,
  ],
  [
    /^CERT_HAS_EXPIRED/,
    'its certificate has expired',
    'Renew the certificate of the server; where it is still valid, set the clock of this machine right.',
  ],
  [/^CERT_NOT_YET_VALID/, 'its certificate is not valid yet', 'Set the clock of this machine right.'],
  [
    /^(?:CERT_|UNABLE_TO_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)/,
    'its certificate is not accepted',
    TRUST,
  ],
];

const NAMES_SHOWN = 5;

/** Null where an error of a connection says nothing about a certificate. */
export function certificateFault(error: unknown): CertificateFault | null {
  const { code, cert } = (error ?? {}) as { code?: unknown; cert?: { subjectaltname?: string } };
  if (typeof code !== 'string') return null;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return wrongName(cert?.subjectaltname ?? '');
  const known = certificateFaults.find(([pattern]) => pattern.test(code));
  return known === undefined ? null : { why: known[1], fix: known[2] };
}

function wrongName(names: string): CertificateFault {
  // The server wrote them: nothing but names is passed on.
  const shown = (names.match(/(?:DNS|IP Address):[\w.*:-]+/g) ?? []).slice(0, NAMES_SHOWN);
  return {
    why: `its certificate is for ${shown.length === 0 ? 'another name' : `other names: ${shown.join(', ')}`}`,
    fix: `Use ${shown.length === 0 ? 'the name of the certificate' : 'one of these names'} in the address of Redis, or a certificate for the name that is there now.`,
  };
}
