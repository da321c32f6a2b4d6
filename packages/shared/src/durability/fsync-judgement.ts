import { setTimeout as pause } from 'node:timers/promises';
import type { RedisSettings } from '@holdfast/foundation/config';
import { createBackoff } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import {
  closeRedis,
  connectRedis,
  fromRedisError,
  isReadyWithin,
  redisErrorKind,
  redisKeys,
  type RedisClient,
} from '../redis/index.js';
import type { ServerFacts } from './server-facts.js';

/** Whether the present server is believed when it confirms that a write is on disk. */
export interface FsyncJudgement {
  /** False until it is known. */
  believed(): boolean;
  /** The same, null until it is known. */
  known(): boolean | null;
  /**
   * Called at every look at the server; judges again when another server, or another policy, has taken its place. Resolves once it
   * is judged; false when it cannot be now, and the next look tries again. Never rejects.
   */
  consider(facts: ServerFacts): Promise<boolean>;
  /** Nothing is known of the present server. */
  forget(): void;
  close(): Promise<void>;
}

const CONNECT_WITHIN_MS = 2_000;
const PROBES = 5;
/** A true confirmation under fsync every second takes most of a second; a false one none. */
const HONEST_MS = 150;

/** Measures on a connection of its own: how long the server takes when it does nothing else there. */
export function createFsyncJudgement(settings: RedisSettings, log: Logger): FsyncJudgement {
  let believed: boolean | null = null;
  let judged = '';
  let present = '';
  let own: RedisClient | undefined;
  let measuring: { server: string; done: Promise<boolean> } | undefined;
  let closed = false;
  const rests = createBackoff();

  const settle = (server: string, facts: ServerFacts, believes: boolean): void => {
    // Another one may have taken its place while it was measured.
    if (server !== present) return;
    believed = believes;
    judged = server;
    log.info('server.judged', { server: facts.server, version: facts.version, believesFsync: believed });
  };

  const measure = async (server: string, facts: ServerFacts): Promise<boolean> => {
    own = connectRedis(settings.connection, 'barrier', log);
    try {
      if (await isReadyWithin(own, CONNECT_WITHIN_MS))
        settle(server, facts, await believesFsync(own, settings.prefix, facts));
    } catch (error) {
      if (!closed) log.warn('server.not_judged', { error });
    } finally {
      await closeRedis(own);
    }
    if (server === judged) rests.reset();
    else void rests.rest();
    return server === judged;
  };

  return {
    believed: () => believed === true,
    known: () => believed,
    consider: async (facts) => {
      const server = [facts.runId, facts.aofEnabled, facts.fsyncPolicy].join();
      if (server === judged || closed) return server === judged;
      present = server;
      believed = null;
      judged = '';
      const promised = promisedFsync(facts);
      if (promised !== null) {
        settle(server, facts, promised);
        return true;
      }
      // Measured one after another: two at once would disturb each other.
      if (measuring !== undefined && measuring.server !== server) await measuring.done;
      if (server !== present || closed || rests.isResting()) return false;
      measuring ??= {
        server,
        done: measure(server, facts).finally(() => {
          measuring = undefined;
        }),
      };
      return measuring.done;
    },
    forget: () => {
      believed = null;
      judged = '';
      present = '';
      rests.reset();
    },
    close: async () => {
      closed = true;
      own?.disconnect();
      await measuring?.done;
    },
  };
}

/** What the settings of this server alone say about its fsync; null where it must be measured. */
export function promisedFsync({ aofEnabled, fsyncPolicy }: ServerFacts): boolean | null {
  if (aofEnabled === false || fsyncPolicy === 'no') return false;
  return fsyncPolicy === 'always' ? true : null;
}

/**
 * Whether WAITAOF of this server may be believed. Under `always` it may. Valkey and Redis before 8 confirm too early
 * under `everysec`, so there we measure; where the policy is hidden, only a server known to be honest is believed
 * (docs/decisions/0003-what-verified-means.md). A server that refuses, or confirms nothing, is not believed. Nothing else may
 * use `redis` meanwhile. Throws CATALOG_UNAVAILABLE.
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
