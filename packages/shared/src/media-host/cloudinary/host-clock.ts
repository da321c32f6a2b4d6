import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { z } from 'zod';
import type { RateLimit } from './rate-budget.js';

/** Node announces here each answer to a request of this process; the SDK itself hides the headers. */
const CHANNEL = 'http.client.response.finish';

const announcement = z.object({
  request: z.object({ agent: z.unknown() }),
  response: z.object({ headers: z.object({ date: z.string() }) }),
});

/** Of metered calls. */
const rateLimits = z.object({
  request: z.object({ agent: z.unknown() }),
  response: z.object({
    headers: z.object({
      'x-featureratelimit-limit': z.coerce.number(),
      'x-featureratelimit-remaining': z.coerce.number(),
      'x-featureratelimit-reset': z.coerce.date(),
    }),
  }),
});

/** Tells of the hourly limit that an answer to a request by one of our agents named; also of one that is an error. */
export function watchRateLimits(
  ours: (agent: unknown) => boolean,
  seen: (limit: RateLimit) => void,
): { readonly stop: () => void } {
  const onAnswer = (message: unknown): void => {
    const { response } = message as { response?: { headers?: Record<string, unknown> } };
    // Most answers have none, and there may be thousands in a second.
    if (response?.headers?.['x-featureratelimit-limit'] === undefined) return;
    const { data } = rateLimits.safeParse(message);
    if (data === undefined || !ours(data.request.agent)) return;
    const { headers } = data.response;
    seen({
      limit: headers['x-featureratelimit-limit'],
      remaining: headers['x-featureratelimit-remaining'],
      resetAt: headers['x-featureratelimit-reset'],
    });
  };
  subscribe(CHANNEL, onAnswer);
  return { stop: () => void unsubscribe(CHANNEL, onAnswer) };
}

export interface HostClock {
  /** Milliseconds since the epoch; the host's `Date` header has whole seconds, so up to one second late. */
  readonly now: () => number;
  readonly stop: () => void;
}

/** Follows the `Date` header of all answers to requests by agents that are `ours`; `now` is our own clock. */
export function watchHostClock(ours: (agent: unknown) => boolean, now: () => number): HostClock {
  let ahead = 0;
  let readAt = -Infinity;
  const onAnswer = (message: unknown): void => {
    // The header has whole seconds, and there may be thousands of answers in one.
    const time = performance.now();
    if (time - readAt < 1_000) return;
    const { data } = announcement.safeParse(message);
    if (data === undefined || !ours(data.request.agent)) return;
    const date = Date.parse(data.response.headers.date);
    if (Number.isNaN(date)) return;
    readAt = time;
    ahead = date - now();
  };
  subscribe(CHANNEL, onAnswer);
  return { now: () => now() + ahead, stop: () => void unsubscribe(CHANNEL, onAnswer) };
}
