import type { RequestHandler } from 'express';
import type { RedisClient, RedisProfile } from '@holdfast/shared/redis';

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

/** Whatever a client changes, and whatever fails, ends the sharing. */
export function endSharing(recent: Pick<RecentResults, 'forget'>): RequestHandler {
  return ({ method }, res, next) => {
    const isRead = method === 'GET' || method === 'HEAD';
    const ended = (): void => {
      if (!isRead || res.statusCode >= 500) recent.forget();
    };
    res.once('finish', ended);
    res.once('close', ended);
    next();
  };
}
