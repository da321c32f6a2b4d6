import type { RequestHandler } from 'express';
import type { RedisClient, RedisProfile } from '@holdfast/shared/redis';
import { contextOf } from '../http/request-context.js';

export interface Measured<T> {
  value: T;
  /** ISO 8601: when the measurement ended. */
  measuredAt: string;
}

/**
 * Results of measurements that several askers share: services bill every command, and probes ask every few seconds. What happens
 * meanwhile ends the sharing at once, so that no answer is from before a failure, or a change, that this process has met.
 */
export interface RecentResults {
  /** `freshMs` tells how long a result may be shared, `profile.healthFreshMs` at most. */
  share<T>(measure: () => Promise<T>, freshMs: (value: T) => number): () => Promise<Measured<T>>;
  /** From now on everything is measured anew. */
  forget(): void;
}

/** A connection that comes or goes is such a change. */
export function createRecentResults(
  { healthFreshMs }: Pick<RedisProfile, 'healthFreshMs'>,
  clients: readonly RedisClient[],
): RecentResults {
  let epoch = 0;
  const forget = (): void => {
    epoch += 1;
  };
  for (const client of clients) for (const event of ['close', 'ready', 'error']) client.on(event, forget);
  return {
    forget,
    share: (measure, freshMs) => {
      type Value = Awaited<ReturnType<typeof measure>>;
      let known: (Measured<Value> & { until: number; epoch: number }) | undefined;
      let running: { result: Promise<Measured<Value>>; epoch: number } | undefined;
      const run = async (began: number): Promise<Measured<Value>> => {
        try {
          const value = await measure();
          const forMs = Math.min(healthFreshMs, freshMs(value));
          known = {
            value,
            measuredAt: new Date().toISOString(),
            until: performance.now() + forMs,
            epoch: began,
          };
          return known;
        } finally {
          if (running?.epoch === began) running = undefined;
        }
      };
      return async () => {
        if (known?.epoch === epoch && performance.now() <= known.until) return known;
        if (running?.epoch !== epoch) running = { result: run(epoch), epoch };
        return running.result;
      };
    },
  };
}

/** Their answers come from what is shared, so their failures tell nothing new. */
const sharing = new Set(['/api/media/health', '/readyz']);
const reads = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * What a client changes, and failures that a client meets, end the sharing. Strangers cannot end it: measuring anew is dear, and
 * their refused requests cost nothing.
 */
export function endSharing(recent: Pick<RecentResults, 'forget'>): RequestHandler {
  return (req, res, next) => {
    const ended = (): void => {
      const { client, route = '' } = contextOf(req);
      const isKnown = client.role !== null;
      const failed = res.statusCode >= 500 && isKnown && !sharing.has(route);
      // An upload may have been accepted although its client left before the answer.
      const changed = !reads.has(req.method) && (res.headersSent ? res.statusCode < 400 : isKnown);
      if (failed || changed) recent.forget();
    };
    res.once('finish', ended);
    res.once('close', ended);
    next();
  };
}
