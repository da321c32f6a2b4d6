import { setTimeout as pause } from 'node:timers/promises';
import { fromRedisError, redisErrorKind, redisKeys, type RedisClient } from '../redis/index.js';
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
 * (docs/decisions/0003-what-verified-means.md). One that refuses, or confirms nothing, has nothing to be believed. `redis` is
 * used for nothing else meanwhile. Throws CATALOG_UNAVAILABLE.
 */
export async function believesFsync(
  redis: RedisClient,
  prefix: string,
  facts: ServerFacts,
): Promise<boolean> {
  const promised = promisedFsync(facts);
  if (promised !== null) return promised;
  const diskMs = await medianDiskMs(redis, redisKeys(prefix).barrier);
  if (diskMs === null) return false;
  return diskMs >= HONEST_MS || (facts.fsyncPolicy === null && isKnownHonest(facts));
}

/** Upstash documents that WAITAOF confirms that a write has reached persistent storage. */
function isKnownHonest({ server, version }: ServerFacts): boolean {
  return server === 'upstash' || (server === 'redis' && Number.parseInt(version, 10) >= 8);
}

/** How much longer a confirmed write takes than one without: the way to the server is no part of it. Null where none is confirmed. */
async function medianDiskMs(redis: RedisClient, key: string): Promise<number | null> {
  const plain: number[] = [];
  const confirmed: number[] = [];
  try {
    for (let probe = 0; probe < PROBES; probe += 1) {
      plain.push(await msOf(redis.set(key, `probe-${String(probe)}-a`)));
      // At changing phases of the server's own second.
      await pause(30 + Math.random() * 50);
      const asked = redis
        .pipeline()
        .set(key, `probe-${String(probe)}-b`)
        .call('WAITAOF', 1, 0, 3_000)
        .exec();
      confirmed.push(await msOf(asked));
      const [written, synced] = (await asked) ?? [];
      const lost = [written, synced].find((reply) => redisErrorKind(reply?.[0]) === 'unreachable')?.[0];
      if (lost) throw lost;
      if (written?.[0] || synced?.[0] || Number((synced?.[1] as unknown[] | undefined)?.[0]) < 1) return null;
    }
  } catch (error) {
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
  return median(confirmed) - median(plain);
}

async function msOf(work: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work;
  return performance.now() - start;
}

function median(durations: readonly number[]): number {
  return durations.toSorted((a, b) => a - b)[Math.floor(PROBES / 2)] ?? 0;
}
