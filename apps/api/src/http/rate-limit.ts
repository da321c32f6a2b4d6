import type { Request, RequestHandler } from 'express';
import { rateLimit, type AugmentedRequest, type Options } from 'express-rate-limit';
import { HoldfastError } from '@holdfast/foundation/errors';
import { withinMs } from '@holdfast/foundation/lifecycle';
import { defineScript, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import { addressOf, clientOf, contextOf } from './request-context.js';

const WINDOW_MS = 60_000;
/** A limit is a courtesy: when Redis does not answer in this time, the request continues. */
const PATIENCE_MS = 250;

/** KEYS: the window. ARGV: its length. Answers how many requests it has seen, this one included, and how long it lasts. */
const countScript = defineScript(`
local seen = redis.call('INCR', KEYS[1])
if seen == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return { seen, redis.call('PTTL', KEYS[1]) }
`);

const common = {
  windowMs: WINDOW_MS,
  legacyHeaders: false,
  // It would check our deliberate settings, and print warnings about them.
  validate: false,
  logger: { warn: () => undefined, error: () => undefined },
} satisfies Partial<Options>;

/**
 * Counts writes in windows of a minute shared by all replicas: per key, per address where there are none (an IPv6 one by its /64).
 * 0 = no limit.
 */
export function limitWrites(redis: RedisClient, keys: RedisKeys, perMinute: number): RequestHandler {
  if (perMinute === 0) return (_req, _res, next) => next();
  return rateLimit({
    ...common,
    limit: perMinute,
    keyGenerator: clientOf,
    standardHeaders: 'draft-8',
    identifier: 'writes',
    passOnStoreError: true,
    store: {
      increment: async (client) => {
        const count = countScript(redis, [keys.rate(client)], [WINDOW_MS]);
        const counted = await withinMs(PATIENCE_MS, count, null);
        if (counted === null) throw new HoldfastError('CATALOG_UNAVAILABLE');
        const [totalHits = 0, leftMs = 0] = counted as number[];
        return { totalHits, resetTime: new Date(Date.now() + leftMs) };
      },
      // Every write counts, and no count is taken back.
      decrement: () => undefined,
      resetKey: () => undefined,
    },
    handler: (req) => {
      throw tooMany(req, `at most ${String(perMinute)} writes a minute`);
    },
  });
}

const FAILED_LOGINS = 100;

/** Counts requests with an unknown key, by address, in this process. Those with a right key do not come here. */
export function limitFailedLogins(): RequestHandler {
  return rateLimit({
    ...common,
    limit: FAILED_LOGINS,
    keyGenerator: addressOf,
    handler: (req) => {
      if (stateOf(req).used === FAILED_LOGINS + 1)
        contextOf(req).log.warn('http.failed_logins', { address: addressOf(req) });
      throw tooMany(req, 'too many requests with unknown keys come from this address');
    },
  });
}

const stateOf = (req: Request) => (req as AugmentedRequest)['rateLimit']!;

function tooMany(req: Request, detail: string): HoldfastError {
  const resetsAt = stateOf(req).resetTime?.getTime() ?? 0;
  return new HoldfastError('RATE_LIMITED', detail, { retryAfterSeconds: (resetsAt - Date.now()) / 1_000 });
}
