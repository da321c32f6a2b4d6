import { setTimeout as pause } from 'node:timers/promises';
import { fromRedisError, redisErrorKind, type RedisClient } from '../redis/index.js';
import type { ServerFacts } from './server-facts.js';

const PROBES = 5;
/** A true confirmation under fsync every second takes most of a second; a false one none. */
const HONEST_MS = 150;

/** What the settings of this server alone say about its fsync; null where it must be measured. */
export function promisedFsync({ aofEnabled, fsyncPolicy }: ServerFacts): boolean | null {
  if (aofEnabled === false || fsyncPolicy === 'no') return false;
  return fsyncPolicy === 'always' ? true : null;
}

/**
 * Measures whether WAITAOF of this server may be believed. Valkey and Redis before 8 confirm too early under `everysec`. Where the
 * policy is hidden, only a server known to be honest is believed (docs/decisions/0003-what-verified-means.md). A server that
 * refuses, or confirms nothing, is not believed. Writes to `key`. Nothing else may use `redis` meanwhile. Throws CATALOG_UNAVAILABLE.
 */
export async function isFsyncHonest(redis: RedisClient, key: string, facts: ServerFacts): Promise<boolean> {
  const diskMs = await medianDiskMs(redis, key);
  if (diskMs === null) return false;
  return diskMs >= HONEST_MS || (facts.fsyncPolicy === null && isKnownHonest(facts));
}

/** Upstash documents that WAITAOF confirms that a write has reached persistent storage. */
function isKnownHonest({ server, version }: ServerFacts): boolean {
  return server === 'upstash' || (server === 'redis' && Number.parseInt(version ?? '', 10) >= 8);
}

/** How much longer a confirmed write takes than one without: the way to the server is not part of it. Null where none is confirmed. */
async function medianDiskMs(redis: RedisClient, key: string): Promise<number | null> {
  const plain: number[] = [];
  const confirmed: number[] = [];
  try {
    for (let probe = 0; probe < PROBES; probe += 1) {
      plain.push(await msOf(redis.set(key, `plain-${String(probe)}`)));
      // At changing phases of the server's own second.
      await pause(30 + Math.random() * 50);
      const asked = redis
        .pipeline()
        .set(key, `synced-${String(probe)}`)
        .call('WAITAOF', 1, 0, 3_000)
        .exec();
      confirmed.push(await msOf(asked));
      const replies = (await asked) ?? [];
      const lost = replies.find(([error]) => redisErrorKind(error) === 'unreachable')?.[0];
      if (lost) throw lost;
      const synced = replies[1]?.[1] as unknown[] | undefined;
      if (replies.some(([error]) => error !== null) || Number(synced?.[0]) < 1) return null;
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
