import { setTimeout as pause } from 'node:timers/promises';
import { fromRedisError, redisKeys, type RedisClient } from '../redis/index.js';
import type { ServerFacts } from './server-facts.js';

const PROBES = 5;
/** A true confirmation under fsync every second takes most of a second; a false one none. */
const HONEST_MS = 150;

/** What the settings of this server alone tell of its fsync; null where it must be measured. */
export function promisedFsync({ aofEnabled, fsyncPolicy }: ServerFacts): boolean | null {
  if (aofEnabled === false || fsyncPolicy === 'no') return false;
  return fsyncPolicy === 'always' ? true : null;
}

/**
 * Whether WAITAOF of this server may be believed. Under `always` it may. Valkey and Redis before 8 confirm too early
 * under `everysec`, so there we measure; where the policy is hidden, only a server known to be honest is believed
 * (docs/decisions/0003-what-verified-means.md). `redis` is used for nothing else meanwhile.
 */
export async function believesFsync(
  redis: RedisClient,
  prefix: string,
  facts: ServerFacts,
): Promise<boolean> {
  const promised = promisedFsync(facts);
  if (promised !== null) return promised;
  const median = await medianConfirmationMs(redis, redisKeys(prefix).barrier);
  if (median >= HONEST_MS) return true;
  const knownHonest = facts.server === 'redis' && Number.parseInt(facts.version, 10) >= 8;
  return facts.fsyncPolicy === null && knownHonest;
}

async function medianConfirmationMs(redis: RedisClient, key: string): Promise<number> {
  const durations: number[] = [];
  try {
    for (let probe = 0; probe < PROBES; probe += 1) {
      await redis.set(key, `probe-${String(probe)}-a`);
      // At changing phases of the server's own second.
      await pause(30 + Math.random() * 50);
      const start = performance.now();
      const replies = await redis
        .pipeline()
        .set(key, `probe-${String(probe)}-b`)
        .call('WAITAOF', 1, 0, 3_000)
        .exec();
      const failed = replies?.find(([error]) => error !== null)?.[0];
      if (failed) return 0;
      durations.push(performance.now() - start);
    }
  } catch (error) {
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
  return durations.toSorted((a, b) => a - b)[Math.floor(PROBES / 2)] ?? 0;
}
