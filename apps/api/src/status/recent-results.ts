import type { RequestHandler } from 'express';
import { redisErrorKind, redisRefusal, type RedisClient, type RedisProfile } from '@holdfast/shared/redis';
import { contextOf } from '../http/request-context.js';

export interface Measured<T> {
  value: T;
  /** ISO 8601: when the measurement ended. */
  measuredAt: string;
}

/**
 * Results of measurements that requests share: a status answer takes up to 50 Redis commands, rented servers bill each of them, and
 * probes ask every few seconds. A failure or a change that this process meets ends the sharing at once.
 */
export interface RecentResults {
  /** `freshMs`: how long a result may be shared, half a second by default, `profile.healthFreshMs` at most. */
  share<T>(measure: () => Promise<T>, freshMs?: (value: T) => number): () => Promise<Measured<T>>;
  /** Ends the sharing: the next request measures. */
  forget(): void;
}

const FRESH_MS = 500;

/** After any command failed: a client that polls a hundred times a second sends no more than this. */
const AFTER_FAILURE_MS = 500;

/** A connection that comes or goes is such a change. */
export function createRecentResults(
  { healthFreshMs }: Pick<RedisProfile, 'healthFreshMs'>,
  clients: readonly RedisClient[],
): RecentResults {
  let epoch = 0;
  let failures = 0;
  const forget = (): void => {
    epoch += 1;
  };
  for (const client of clients) {
    for (const event of ['close', 'ready', 'error']) client.on(event, forget);
    onFailure(client, () => (failures += 1));
  }
  return {
    forget,
    share: (measure, freshMs = () => FRESH_MS) => {
      type Value = Awaited<ReturnType<typeof measure>>;
      let known:
        (Measured<Value> & { at: number; forMs: number; epoch: number; failures: number }) | undefined;
      let running: { result: Promise<Measured<Value>>; epoch: number } | undefined;
      const run = async (began: number): Promise<Measured<Value>> => {
        const before = failures;
        try {
          const value = await measure();
          known = {
            value,
            measuredAt: new Date().toISOString(),
            at: performance.now(),
            forMs: Math.min(healthFreshMs, freshMs(value)),
            epoch: began,
            failures: before,
          };
          return known;
        } finally {
          if (running?.epoch === began) running = undefined;
        }
      };
      return async () => {
        if (known?.epoch === epoch) {
          const forMs = known.failures === failures ? known.forMs : Math.min(known.forMs, AFTER_FAILURE_MS);
          if (performance.now() < known.at + forMs) return known;
        }
        if (running?.epoch !== epoch) running = { result: run(epoch), epoch };
        return running.result;
      };
    },
  };
}

/** Of ioredis, for all that it sends. */
interface Sends {
  sendCommand(...command: unknown[]): unknown;
}

/** A command that the server does not offer at all (CONFIG, a script it has not loaded) is no failure. */
function onFailure(client: Sends, tell: () => void): void {
  const send = client.sendCommand.bind(client);
  client.sendCommand = (...command) => {
    const reply = send(...command);
    Promise.resolve(reply).catch((error: unknown) => {
      const kind = redisErrorKind(error);
      const isLack = kind === 'fatal' || kind === 'credentials' || redisRefusal(error) === 'command';
      if (!isLack) tell();
    });
    return reply;
  };
}

/** Their answers come from shared results, so their failures are not new. */
const sharing = new Set(['/api/media/health', '/readyz']);
const reads = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Changes by clients, and failures that clients meet, end the sharing. Requests without a role cannot: measuring is expensive, and refused
 * requests cost their sender nothing.
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
    // Follows `finish` before the client can ask again.
    res.once('close', ended);
    next();
  };
}
