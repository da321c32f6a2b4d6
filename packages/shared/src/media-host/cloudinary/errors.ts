import { HoldfastError } from '@holdfast/foundation/errors';
import { redactText } from '@holdfast/foundation/logging';
import { HostFailure } from '../failures.js';
import type { HostBudget } from '../media-host.js';

const NETWORK_TIMEOUTS = new Set(['ETIMEDOUT', 'ESOCKETTIMEDOUT', 'EHOSTUNREACH']);

/** Any shape that the SDK rejects or calls back with, as our error. `retryAfter` reads the wait out of a 420's text. */
export function toHostError(thrown: unknown, retryAfter: (message: string) => number): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  const cause = readFailure(thrown);
  const { status, message, code } = cause;
  if (status === 420 || status === 429)
    return new HoldfastError('HOST_RATE_LIMITED', message, { cause, retryAfterSeconds: retryAfter(message) });
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

/** The hourly limit of metered calls, as one answer states it. */
export interface RateLimit {
  limit: number;
  remaining: number;
  resetAt: Date;
}

/** Used when the host does not say how long to wait. */
export const FALLBACK_SECONDS = 60;
/** Below this share a refusal without a time is taken for the end of the hour's calls. */
const NEARLY_SPENT = 0.2;

/** The hourly budget as the last answers stated it. `now` gives milliseconds since the epoch. */
export function createRateBudget(now: () => number) {
  let last: (RateLimit & { heardAt: number }) | null = null;
  return {
    seen: (limit: RateLimit): void => {
      last = { ...limit, heardAt: now() };
    },
    /** Seconds to wait after a refusal with this message; marks the budget as spent where it may be. */
    retryAfter: (message: string): number => {
      const named = readTryAgain(message);
      // The hour is not used up: the refusal is about the pace, and soon over. If other clients have used the hour up since,
      // one futile call a minute costs nothing.
      if (named === null && last !== null && last.remaining > last.limit * NEARLY_SPENT)
        return FALLBACK_SECONDS;
      const resetAt = named ?? last?.resetAt ?? null;
      if (last !== null) last = { ...last, heardAt: now(), remaining: 0, resetAt: resetAt ?? last.resetAt };
      const seconds = Math.ceil(((resetAt?.getTime() ?? 0) - now()) / 1_000);
      return seconds > 0 ? seconds : FALLBACK_SECONDS;
    },
    current: (): HostBudget | null =>
      last === null ? null : { ...last, resetAt: last.resetAt.toISOString() },
  };
}

/** `… Try again on 2024-10-04 14:00:00 UTC`, or null. */
function readTryAgain(message: string): Date | null {
  const found = /try again on (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/i.exec(message);
  return found === null ? null : new Date(`${String(found[1])}T${String(found[2])}Z`);
}
