import { HoldfastError } from '../../errors/index.js';
import { redactText } from '../../logging/index.js';
import { HostFailure } from '../host-failure.js';

const NETWORK_TIMEOUTS = new Set(['ETIMEDOUT', 'ESOCKETTIMEDOUT', 'EHOSTUNREACH']);
const MAX_DETAIL = 300;

/** Any shape that the SDK rejects or calls back with, as our error. `retryAfter` reads the wait out of a 420's text. */
export function toHostError(thrown: unknown, retryAfter: (message: string) => number): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  const failure = readFailure(thrown);
  const { status, message } = failure;
  const options = { cause: failure };
  if (status === 420 || status === 429) {
    return new HoldfastError('HOST_RATE_LIMITED', message, {
      ...options,
      retryAfterSeconds: retryAfter(message),
    });
  }
  if (status === 499 || status === 408 || status === 504 || NETWORK_TIMEOUTS.has(failure.code ?? ''))
    return new HoldfastError('HOST_TIMEOUT', undefined, options);
  if (status === 413 || /file size too large/i.test(message))
    return new HoldfastError('HOST_LIMIT', message, options);
  return new HoldfastError('HOST_REJECTED', message, options);
}

/** True when the host answered that there is no such asset. */
export function isNotFound(error: unknown): boolean {
  return error instanceof HoldfastError && error.cause instanceof HostFailure && error.cause.status === 404;
}

/** Uploads: `{message, http_code}`, an Error, or `{error}` around one. Admin: the same beside the request's credentials. */
function readFailure(thrown: unknown): HostFailure {
  const outer = asObject(thrown);
  const inner = asObject(outer['error'] ?? thrown);
  // An Admin reply cut in its middle has an Error as its message.
  const source = asObject(inner['message'] instanceof Error ? inner['message'] : inner);
  const status = inner['http_code'];
  const code = source['code'];
  const message = source['message'];
  return new HostFailure(
    typeof message === 'string' ? presentable(message) : 'the media host failed',
    typeof status === 'number' ? status : null,
    typeof code === 'string' ? code : null,
  );
}

/** Without signatures, strings to sign and API keys, which some of Cloudinary's messages repeat. */
function presentable(message: string): string {
  const clean = message
    .replace(/Invalid Signature[\s\S]*/, 'Invalid Signature')
    .replace(/(api[_ ]key:?) \S+/gi, '$1 […]');
  return redactText(clean).slice(0, MAX_DETAIL);
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
