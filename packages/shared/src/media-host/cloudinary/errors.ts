import type { IncomingHttpHeaders } from 'node:http';
import { HoldfastError } from '@holdfast/foundation/errors';
import { redactText } from '@holdfast/foundation/logging';
import { type HostBudget, HostFailure } from '../media-host.js';

const NETWORK_TIMEOUTS = new Set(['ETIMEDOUT', 'ESOCKETTIMEDOUT', 'EHOSTUNREACH']);

/** Any shape that the SDK rejects or calls back with, as our error. `retryAfter` reads the wait out of a 420's text. */
export function toHostError(thrown: unknown, retryAfter?: (message: string) => number): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  const cause = readFailure(thrown);
  const { status, message, code } = cause;
  if (status === 420 || status === 429) {
    const retryAfterSeconds = retryAfter?.(message) ?? FALLBACK_SECONDS;
    return new HoldfastError('HOST_RATE_LIMITED', message, { cause, retryAfterSeconds });
  }
  if ([408, 499, 504].includes(status ?? 0) || NETWORK_TIMEOUTS.has(code ?? ''))
    return new HoldfastError('HOST_TIMEOUT', undefined, { cause });
  const isTooLarge = status === 413 || /file size too large/i.test(message);
  return new HoldfastError(isTooLarge ? 'HOST_LIMIT' : 'HOST_REJECTED', message, { cause });
}

/** Uploads: `{message, http_code}`, an Error, or `{error}` around one. Admin: the same beside the request's credentials. */
function readFailure(thrown: unknown): HostFailure {
  const outer = asObject(thrown);
  const inner = asObject(outer['error'] ?? thrown);
  // An Admin reply cut in its middle has an Error as its message.
  const { message, code } = asObject(inner['message'] instanceof Error ? inner['message'] : inner);
  const status = inner['http_code'];
  return new HostFailure(
    typeof message === 'string' ? presentable(message) : 'the media host failed',
    typeof status === 'number' ? status : null,
    typeof code === 'string' ? code : null,
  );
}

const MAX_DETAIL = 300;

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

/** Used when the host does not say how long to wait. */
const FALLBACK_SECONDS = 60;
/** Below this share a refusal without a time is taken for the end of the hour's calls. */
const NEARLY_SPENT = 0.2;

/** The hourly budget as the last answers stated it. */
export function createRateBudget() {
  let last: HostBudget | null = null;
  return {
    /** Of any answer; most do not state it. */
    read: (headers: IncomingHttpHeaders): void => {
      const limit = Number(headers['x-featureratelimit-limit']);
      const remaining = Number(headers['x-featureratelimit-remaining']);
      const reset = Date.parse(String(headers['x-featureratelimit-reset']));
      if ([limit, remaining, reset].some(Number.isNaN)) return;
      last = { limit, remaining, resetAt: new Date(reset).toISOString(), heardAt: Date.now() };
    },
    /** Seconds to wait after a refusal with this message; marks the budget as spent where it may be. */
    retryAfter: (message: string): number => {
      const named = readTryAgain(message);
      // The hour is not used up: the refusal is about the pace, and soon over. If other clients have used the hour up since,
      // one futile call a minute costs nothing.
      if (named === null && last !== null && last.remaining > last.limit * NEARLY_SPENT)
        return FALLBACK_SECONDS;
      const resetAt = named ?? last?.resetAt ?? '';
      if (last !== null) last = { ...last, heardAt: Date.now(), remaining: 0, resetAt };
      const seconds = Math.ceil((Date.parse(resetAt) - Date.now()) / 1_000);
      return seconds > 0 ? seconds : FALLBACK_SECONDS;
    },
    current: (): HostBudget | null => last,
  };
}

/** `… Try again on 2024-10-04 14:00:00 UTC` as ISO 8601, or null. */
function readTryAgain(message: string): string | null {
  const found = /try again on (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/i.exec(message);
  return found === null ? null : `${String(found[1])}T${String(found[2])}.000Z`;
}
