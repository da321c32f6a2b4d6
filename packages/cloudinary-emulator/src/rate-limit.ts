import { ApiError } from './api-error.js';

const HOUR_MS = 3_600_000;
/** Shown in the headers when nothing is refused. */
const UNLIMITED = 1_000_000;

/** Counts the Admin calls of the current clock hour. */
export interface RateLimit {
  /** Counts one call and gives the headers of its answer; `error` is the refusal, when it is one. */
  count(): { headers: Record<string, string>; error: ApiError | null };
  /** The refusal, whatever the count (for faults). */
  refusal: (status: number) => ApiError;
  used(): number;
  reset(): void;
}

export function rateLimit(settings: { rateLimitPerHour: number | null }, now: () => number): RateLimit {
  let hour = -1;
  let used = 0;

  const resetAt = () => (Math.floor(now() / HOUR_MS) + 1) * HOUR_MS;
  const limit = () => {
    const perHour = settings.rateLimitPerHour ?? UNLIMITED;
    return Number.isFinite(perHour) ? perHour : UNLIMITED;
  };
  const startHour = () => {
    const current = Math.floor(now() / HOUR_MS);
    if (current !== hour) {
      hour = current;
      used = 0;
    }
  };
  const refusal = (status: number) => {
    const at = new Date(resetAt()).toISOString().replace('T', ' ').slice(0, 19);
    return new ApiError(
      status,
      `Rate Limit Exceeded. Limit of ${limit()} api operations reached. Try again on ${at} UTC`,
    );
  };

  return {
    count() {
      startHour();
      const enforced = settings.rateLimitPerHour !== null && Number.isFinite(settings.rateLimitPerHour);
      const refused = enforced && used >= limit();
      if (!refused) used += 1;
      return {
        headers: {
          'X-FeatureRateLimit-Limit': String(limit()),
          'X-FeatureRateLimit-Remaining': String(Math.max(limit() - used, 0)),
          'X-FeatureRateLimit-Reset': new Date(resetAt()).toUTCString(),
        },
        error: refused ? refusal(420) : null,
      };
    },
    refusal,
    used: () => {
      startHour();
      return used;
    },
    reset() {
      used = 0;
    },
  };
}
