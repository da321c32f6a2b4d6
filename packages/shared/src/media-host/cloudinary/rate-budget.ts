import type { HostBudget } from '../media-host.js';

/** Waited where the host does not say how long. */
const FALLBACK_SECONDS = 60;

/** What the headers of one answer say. */
export interface RateLimit {
  limit: number;
  remaining: number;
  resetAt: Date;
}

/** The hourly budget as the last answers told it. */
export interface RateBudget {
  readonly seen: (limit: RateLimit) => void;
  /** Seconds to wait after a refusal with this message; marks the budget as spent where it may be. */
  readonly retryAfter: (message: string) => number;
  readonly current: () => HostBudget | null;
}

/** Below this share a refusal without a time is taken for the end of the hour's calls. */
const NEARLY_SPENT = 0.2;

/** `now` gives milliseconds since the epoch. */
export function createRateBudget(now: () => number): RateBudget {
  let last: (RateLimit & { heardAt: number }) | null = null;
  return {
    seen: (limit) => {
      last = { ...limit, heardAt: now() };
    },
    retryAfter: (message) => {
      const named = readTryAgain(message);
      // The hour is not used up: it is about how fast we ask, and over in a moment. Where others have used it up since, asking
      // once a minute in vain costs nothing.
      if (named === null && last !== null && last.remaining > last.limit * NEARLY_SPENT)
        return FALLBACK_SECONDS;
      const resetAt = named ?? last?.resetAt.getTime() ?? 0;
      if (last !== null)
        last = {
          ...last,
          heardAt: now(),
          remaining: 0,
          ...(resetAt > 0 ? { resetAt: new Date(resetAt) } : {}),
        };
      const seconds = Math.ceil((resetAt - now()) / 1_000);
      return seconds > 0 ? seconds : FALLBACK_SECONDS;
    },
    current: () => (last === null ? null : { ...last, resetAt: last.resetAt.toISOString() }),
  };
}

/** `… Try again on 2024-10-04 14:00:00 UTC` in milliseconds since the epoch, or null. */
function readTryAgain(message: string): number | null {
  const found = /try again on (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/i.exec(message);
  return found === null ? null : Date.parse(`${String(found[1])}T${String(found[2])}Z`);
}
