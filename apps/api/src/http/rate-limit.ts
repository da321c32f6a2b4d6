import type { RequestHandler } from 'express';
import { HoldfastError } from '@holdfast/shared/errors';
import { defineScript, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import { withinMs } from '@holdfast/shared/lifecycle';
import { clientOf } from './client-address.js';

const MINUTE_MS = 60_000;
/** A limit is a courtesy: when Redis does not answer in this time, the request goes on. */
const PATIENCE_MS = 250;

/** KEYS: the window. Answers how many requests it has seen, this one included. */
const countScript = defineScript(`
local seen = redis.call('INCR', KEYS[1])
if seen == 1 then redis.call('PEXPIRE', KEYS[1], 120000) end
return seen
`);

export interface RateLimitOptions {
  redis: RedisClient;
  keys: RedisKeys;
  /** Requests a minute; 0 = no limit. */
  perMinute: number;
  now?: () => number;
}

/** Counts writes in windows of a minute shared by all replicas: per key, per address where there are none (an IPv6 one by its /64). */
export function rateLimit({ redis, keys, perMinute, now = Date.now }: RateLimitOptions): RequestHandler {
  if (perMinute === 0) return (_req, _res, next) => next();
  return async (req, _res, next) => {
    const time = now();
    const count = countScript(redis, [keys.rate(clientOf(req), Math.floor(time / MINUTE_MS))], []);
    const seen = await withinMs(PATIENCE_MS, count, null).catch(() => null);
    if (Number(seen) > perMinute) {
      throw new HoldfastError('RATE_LIMITED', `at most ${String(perMinute)} writes a minute`, {
        retryAfterSeconds: (MINUTE_MS - (time % MINUTE_MS)) / 1_000,
      });
    }
    next();
  };
}
