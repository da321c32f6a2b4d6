import { HoldfastError, type ErrorCode } from '../errors/index.js';

/**
 * What an error of Redis or ioredis means for the caller.
 * unreachable: no answer, the command may or may not have run. refused: the server is there but takes no writes now.
 * demoted: we talk to a replica or a master that lost its role. credentials: login or permission. fatal: our bug.
 */
export type RedisErrorKind = 'unreachable' | 'refused' | 'demoted' | 'credentials' | 'fatal';

const byReplyPrefix: readonly (readonly [RegExp, RedisErrorKind])[] = [
  [/^(?:READONLY|UNBLOCKED|MASTERDOWN)/, 'demoted'],
  [/^(?:OOM|MISCONF|NOREPLICAS|BUSY|CLUSTERDOWN|TRYAGAIN|LOADING|MOVED|ASK )/, 'refused'],
  [/^(?:NOAUTH|WRONGPASS|NOPERM|ERR ACL failure in script)/, 'credentials'],
  [
    /^(?:Command timed out|Connection is closed|Stream isn't writeable|Reached the max retries|Socket timeout|connect |read E|write E)/,
    'unreachable',
  ],
  [
    /^(?:Cluster isn't ready|Failed to refresh slots cache|All sentinels are unreachable|None of startup nodes|Too many Cluster redirections)/i,
    'unreachable',
  ],
];

const networkCode = /^(?:ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_|EHOST|ENET|ENOENT|NR_CLOSED)/;
const networkName = /^(?:MaxRetriesPerRequestError|AbortError|ClusterAllFailedError)$/;

/** Told by the code of the error, or by the first words of the reply. */
export function redisErrorKind(error: unknown): RedisErrorKind {
  if (!(error instanceof Error)) return 'fatal';
  // A transaction that was discarded as a whole says why in the errors of its commands.
  const previous = (error as { previousErrors?: unknown }).previousErrors;
  if (error.message.startsWith('EXECABORT') && Array.isArray(previous) && previous.length > 0)
    return redisErrorKind(previous[0]);
  for (const [pattern, kind] of byReplyPrefix) if (pattern.test(error.message)) return kind;
  const code = (error as { code?: unknown }).code;
  if (networkName.test(error.name) || (typeof code === 'string' && networkCode.test(code)))
    return 'unreachable';
  return 'fatal';
}

/**
 * Any error of a Redis call as ours: `code` when Redis cannot serve now, else INTERNAL.
 * Used at the edge of every module that talks to Redis.
 */
export function fromRedisError(error: unknown, code: ErrorCode): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const kind = redisErrorKind(error);
  if (kind === 'fatal') return new HoldfastError('INTERNAL', undefined, { cause: error });
  return new HoldfastError(code, undefined, {
    cause: error,
    retryAfterSeconds: kind === 'credentials' ? 30 : 2,
  });
}
