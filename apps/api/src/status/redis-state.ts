import { randomUUID } from 'node:crypto';
import type { DurabilityLevel, RedisSettings } from '@holdfast/foundation/config';
import { withinMs } from '@holdfast/foundation/lifecycle';
import type { Barrier, Finding, ServerMonitor } from '@holdfast/shared/durability';
import type { MediaQueues } from '@holdfast/shared/jobs';
import type { RedisClient, RedisKeys, RedisProfile } from '@holdfast/shared/redis';
import type { RecentResults } from './recent-results.js';
import { redisFailure, rightsMissing, type RedisFailure } from './redis-failure.js';
import { lookAtRedis, type ProbeRecord, type RedisLook } from './redis-look.js';

/** What Redis shows, of itself and of the deployment, at one moment. All status answers are made of it. */
export interface RedisState {
  /** ISO 8601. */
  measuredAt: string;
  /** Null where Redis does not serve. */
  look: RedisLook | null;
  /** Why an upload would be refused, as far as is known by now; null when it would not. */
  failure: RedisFailure | null;
  /** What else must be asked for, of those who need it. Measured once. */
  facts(): Promise<RedisFacts>;
  test(): Promise<PersistenceTest>;
}

export interface RedisFacts {
  /** How many are alive; null where that is unknown. */
  workers: number | null;
  /** Of the server. */
  findings: readonly Finding[];
}

/** When it failed, the state has a failure. */
export interface PersistenceTest {
  /** What the server confirmed for the test record; null when the test failed. */
  level: DurabilityLevel | null;
  /** From the write to the confirmation. */
  latencyMs: number;
  message: string;
}

export interface RedisStateOptions {
  /** The test record is written over this connection, and read back over that of the barrier. */
  redis: RedisClient;
  /** All connections of this process: each may know why Redis does not serve. */
  connections: readonly RedisClient[];
  keys: RedisKeys;
  profile: RedisProfile;
  queues: Pick<MediaQueues, 'queues'>;
  barrier: Pick<Barrier, 'confirmRemoving'>;
  server: Pick<ServerMonitor, 'findings'>;
  settings: RedisSettings;
  recentResults: RecentResults;
}

const PATIENCE_MS = 600;
/** Under fsync every second the server takes up to two. */
const CONFIRM_WITHIN_MS = 3_000;
/** A test record that nobody removed removes itself. It outlives the state that it belongs to. */
const LIFE_SECONDS = 120;

/** Measures what Redis shows, or answers what was measured a moment ago. Never rejects. */
export function createRedisState(options: RedisStateOptions): () => Promise<RedisState> {
  const { redis, connections, keys, server, settings, recentResults } = options;
  const countWorkers = createWorkerCount(options);

  return recentResults.share(async () => {
    const start = performance.now();
    const probe = { key: keys.probe(randomUUID()), value: randomUUID(), seconds: LIFE_SECONDS };
    const { look, failure } = await lookOrFailure(probe);
    const lookedMs = performance.now() - start;
    if (failure !== null) recentResults.doubt();
    const state: RedisState = {
      measuredAt: new Date().toISOString(),
      look,
      failure,
      facts: once(async () => {
        const counted = look === null ? null : withinMs(PATIENCE_MS, countWorkers(look.announcedUntil), null);
        const [findings, workers] = await Promise.all([server.findings(), counted]);
        return { findings, workers };
      }),
      test: once(async () => {
        // It may be asked for a while after the look.
        const askedAt = performance.now();
        const tested = failure === null ? await confirm(probe) : { level: null, failure };
        const latencyMs = Math.round((lookedMs + performance.now() - askedAt) * 10) / 10;
        if (tested.failure !== null) recentResults.doubt();
        state.failure = tested.failure;
        return {
          level: tested.level,
          latencyMs,
          message: tested.failure?.message ?? confirmation(tested.level),
        };
      }),
    };
    return state;
  });

  /** Where Redis only takes no writes, reads go on. */
  async function lookOrFailure(probe: ProbeRecord): Promise<Pick<RedisState, 'look' | 'failure'>> {
    try {
      const look = await lookAtRedis(redis, keys, probe);
      return { look, failure: look.missingRights.length > 0 ? rightsMissing(look.missingRights) : null };
    } catch (error) {
      const failure = redisFailure(error, connections, settings);
      const look = failure.connected ? await lookAtRedis(redis, keys).catch(() => null) : null;
      return { look, failure };
    }
  }

  /**
   * Reads the record back over another connection, removes it, and asks how safe that is. That the removal is confirmed confirms
   * the record, which was written before it.
   */
  async function confirm({
    key,
    value,
  }: ProbeRecord): Promise<{ level: DurabilityLevel | null; failure: RedisFailure | null }> {
    try {
      const confirmed = await withinMs(CONFIRM_WITHIN_MS, options.barrier.confirmRemoving(key), null);
      if (confirmed?.value === value) return { level: confirmed.level, failure: null };
      throw new Error(confirmed === null ? 'Command timed out' : 'the test record was read back changed');
    } catch (error) {
      return { level: null, failure: redisFailure(error, connections, settings) };
    }
  }
}

function once<T>(measure: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= measure());
}

function confirmation(level: DurabilityLevel | null): string {
  return `written, read back and ${level === 'written' ? 'not confirmed to be on disk' : String(level)}`;
}

/** Running workers check three times in this time, and register again at the first check. */
const ANNOUNCED_AGAIN_WITHIN_MS = 60_000;
/** After an outage of Redis workers may come back a moment after this process. */
const RECONNECTED_WITHIN_MS = 5_000;

/**
 * How many workers are alive; null where that is unknown. `announcedUntil`: when each registration expires, in ms.
 * Workers register every minute, and a killed one stays registered for a while: so only as many count as also have a connection,
 * where the server shows that. An expired registration stays in the list, so an empty list means that Redis was emptied
 * (or that the last worker left): then the connections alone count, until running workers must have registered again.
 */
function createWorkerCount({ redis, profile, queues }: RedisStateOptions) {
  let emptySince: number | null = null;
  let reconnectedAt = -Infinity;
  redis.on('ready', () => {
    reconnectedAt = performance.now();
  });
  return async (announcedUntil: readonly number[]): Promise<number | null> => {
    // A proxy in front of the server knows its own connections only.
    const connected = profile.name === 'upstash' ? null : await connectedWorkers(queues);
    const now = performance.now();
    if (connected === 0 && now - reconnectedAt < RECONNECTED_WITHIN_MS) return null;
    if (announcedUntil.length > 0) {
      emptySince = null;
      return Math.min(announcedUntil.filter((ms) => ms > Date.now()).length, connected ?? Infinity);
    }
    emptySince ??= now;
    return now - emptySince < ANNOUNCED_AGAIN_WITHIN_MS ? connected : 0;
  };
}

/** Null where the server does not show it: BullMQ then gives one entry without an address, or passes the refusal on. */
async function connectedWorkers({ queues }: Pick<MediaQueues, 'queues'>): Promise<number | null> {
  const found = await queues.verify.getWorkers().catch(() => null);
  if (found === null || found.some((worker) => worker['addr'] === undefined)) return null;
  return found.length;
}
