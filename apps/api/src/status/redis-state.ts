import { randomUUID } from 'node:crypto';
import type { DurabilityLevel, RedisSettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { withinMs } from '@holdfast/foundation/lifecycle';
import type { Catalog } from '@holdfast/shared/catalog';
import { redisOutage, type Barrier, type Finding, type ServerMonitor } from '@holdfast/shared/durability';
import type { MediaQueues } from '@holdfast/shared/jobs';
import {
  connectionError,
  redisErrorKind,
  redisFault,
  type RedisClient,
  type RedisKeys,
  type RedisProfile,
} from '@holdfast/shared/redis';
import { lookAtRedis, type ProbeRecord, type RedisLook } from './redis-look.js';

/** What Redis shows of itself and of the deployment at one moment. All status answers are made from it. */
export interface RedisState {
  /** ISO 8601. */
  measuredAt: string;
  /** Null where Redis does not serve. */
  look: RedisLook | null;
  /** Why an upload would be refused, as far as is known by now; null when it would not. */
  failure: RedisFailure | null;
  /** The rest is asked for once somebody needs it. Of the Redis server: */
  findings(): Promise<readonly Finding[]>;
  /** How many workers are alive; null where that is unknown. */
  workers(): Promise<number | null>;
  /** What the catalog holds; null where that is unknown. */
  counts(): Promise<Awaited<ReturnType<Catalog['counts']>> | null>;
  test(): Promise<PersistenceTest>;
}

/** Why Redis does not serve. */
export interface RedisFailure {
  /** In words without addresses or secrets. */
  message: string;
  /** True when the server answers but accepts no writes: reads may work. */
  connected: boolean;
  /** What an operator can do about it. */
  finding: Finding;
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
  /** The test record is written over the first connection, that of uploads, and read back over that of the barrier. */
  connections: readonly [RedisClient, ...RedisClient[]];
  keys: RedisKeys;
  profile: RedisProfile;
  catalog: Pick<Catalog, 'counts'>;
  queues: Pick<MediaQueues, 'queues'>;
  barrier: Pick<Barrier, 'confirmRemoving'>;
  server: Pick<ServerMonitor, 'findings'>;
  settings: RedisSettings;
}

/** The one measurement that requests share: rented servers bill each command, and probes ask every few seconds. */
export interface RedisStates {
  /**
   * What was measured up to half a second ago, while all goes well for as long as the profile says, else what is measured now, at most
   * once at a time. Never rejects.
   */
  read(): Promise<RedisState>;
  /** A request met a failure of Redis: what was measured counts for half a second at most. */
  doubt(): void;
  /** The next request measures. */
  forget(): void;
}

const SHARED_MS = 500;
const PATIENCE_MS = 600;
/** With fsync every second the server takes up to two seconds. */
const CONFIRM_WITHIN_MS = 3_000;
/** A test record that nobody removed removes itself. It outlives the state that it belongs to. */
const LIFE_SECONDS = 120;

export function createRedisStates(options: RedisStateOptions): RedisStates {
  const { connections, profile } = options;
  // While it is being measured its age is below zero.
  let last: { state: Promise<RedisState>; endedAt: number; isDoubted: boolean } | undefined;
  const doubt = (): void => {
    if (last !== undefined) last.isDoubted = true;
  };
  const forget = (): void => {
    last = undefined;
  };
  for (const client of connections) for (const event of ['close', 'ready', 'error']) client.on(event, forget);
  return {
    read: async () => {
      if (last !== undefined) {
        const ageMs = performance.now() - last.endedAt;
        if (ageMs < (last.isDoubted ? SHARED_MS : profile.healthFreshMs)) return last.state;
      }
      const begun = { state: measure(options, doubt), endedAt: Infinity, isDoubted: false };
      last = begun;
      try {
        return await begun.state;
      } finally {
        begun.endedAt = performance.now();
      }
    },
    doubt,
    forget,
  };
}

async function measure(options: RedisStateOptions, doubt: () => void): Promise<RedisState> {
  const { keys, catalog, server } = options;
  const start = performance.now();
  const probe = { key: keys.probe(randomUUID()), value: randomUUID(), seconds: LIFE_SECONDS };
  const { look, failure } = await lookOrFailure(options, probe);
  const lookedMs = performance.now() - start;
  if (failure !== null) doubt();
  const state: RedisState = {
    measuredAt: new Date().toISOString(),
    look,
    failure,
    findings: once(() => server.findings()),
    workers: once(async () =>
      look === null ? null : withinMs(PATIENCE_MS, countWorkers(options, look.announcedUntil), null),
    ),
    counts: once(() => withinMs(PATIENCE_MS, catalog.counts(), null).catch(() => null)),
    test: once(async () => {
      // It may be requested some time after the first part.
      const askedAt = performance.now();
      const tested = failure === null ? await confirm(options, probe) : { level: null, failure };
      const latencyMs = Math.round((lookedMs + performance.now() - askedAt) * 10) / 10;
      if (tested.failure !== null) doubt();
      state.failure = tested.failure;
      const { level } = tested;
      const message = `written, read back and ${level === 'written' ? 'not confirmed to be on disk' : String(level)}`;
      return { level, latencyMs, message: tested.failure?.message ?? message };
    }),
  };
  return state;
}

function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= ask());
}

/** Where Redis only refuses writes, reads continue. */
async function lookOrFailure(
  { connections, keys, settings }: RedisStateOptions,
  probe: ProbeRecord,
): Promise<Pick<RedisState, 'look' | 'failure'>> {
  const [redis] = connections;
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
async function confirm(
  { barrier, connections, settings }: RedisStateOptions,
  { key, value }: ProbeRecord,
): Promise<Pick<PersistenceTest, 'level'> & Pick<RedisState, 'failure'>> {
  try {
    const confirmed = await withinMs(CONFIRM_WITHIN_MS, barrier.confirmRemoving(key), null);
    if (confirmed?.value === value) return { level: confirmed.level, failure: null };
    throw new Error(confirmed === null ? 'Command timed out' : 'the test record was read back changed');
  } catch (error) {
    return { level: null, failure: redisFailure(error, connections, settings) };
  }
}

/**
 * How many workers are alive; null where that is unknown. `announcedUntil`: when each registration expires, in ms.
 * Workers register every minute, and a killed one stays registered for a while: so only as many count as also have a connection,
 * where the server shows that. An expired registration stays in the list: an empty one tells that Redis was emptied, or that the
 * last worker left. Then the connections alone count.
 */
async function countWorkers(
  { profile, queues }: RedisStateOptions,
  announcedUntil: readonly number[],
): Promise<number | null> {
  // A proxy in front of the server knows its own connections only.
  const connected = profile.name === 'upstash' ? null : await connectedWorkers(queues);
  if (announcedUntil.length === 0) return connected ?? 0;
  return Math.min(announcedUntil.filter((ms) => ms > Date.now()).length, connected ?? Infinity);
}

/** Null where the server does not show it: BullMQ then gives one entry without an address, or passes the refusal on. */
async function connectedWorkers({ queues }: RedisStateOptions['queues']): Promise<number | null> {
  const found = await queues.verify.getWorkers().catch(() => null);
  if (found === null || found.some((worker) => worker['addr'] === undefined)) return null;
  return found.length;
}

/** What an error of one of these connections means; the first one is that of uploads. */
function redisFailure(
  error: unknown,
  connections: readonly RedisClient[],
  settings: RedisSettings,
): RedisFailure {
  const cause = error instanceof HoldfastError ? error.cause : error;
  // Between two attempts to connect, what the server said at the last one.
  const isAway = redisErrorKind(cause) === 'unreachable';
  const said = isAway ? (connections.map(connectionError).find(Boolean) ?? cause) : cause;
  const { kind, refusal, message, code, fix } = redisFault(said);
  if (kind !== 'refused' && kind !== 'demoted') {
    const outage = redisOutage(settings, said);
    const what = `does not serve: ${outage.why}`;
    const finding = uploadsRefused(code, `${outage.place} ${what}`, outage.fix);
    return { message: `Redis ${what}`, connected: false, finding };
  }
  const isServing = refusal !== 'connections' || connections[0]?.status === 'ready';
  const isPart = refusal === 'connections' && isServing;
  return {
    message,
    connected: isServing,
    finding: isPart ? someRefused : uploadsRefused(code, message, fix),
  };
}

/** While some connections of this API are refused, and not the one that uploads need. */
export const someRefused: Finding = {
  code: 'REDIS_CONNECTIONS',
  severity: 'warning',
  message:
    'Redis refuses connections: its connection limit is reached. Some connections of this API are missing.',
  fix: 'Allow more connections ("maxclients", or a larger plan), or run fewer processes. docs/scaling.md says how many Holdfast needs.',
};

/** Uploads are refused, since the user of Redis may not call these commands. */
function rightsMissing(commands: readonly string[]): RedisFailure {
  const message = `The user of Redis has no right to ${commands.join(', ')}`;
  const rights = commands.map((name) => `+${name.toLowerCase()}`).join(' ');
  const fix = `Give the user the rights to these commands: "ACL SETUSER <name> ${rights}".`;
  return { message, connected: true, finding: uploadsRefused('RIGHTS_MISSING', message, fix) };
}

function uploadsRefused(code: string, message: string, fix: string): Finding {
  return { code, severity: 'error', message: `${message}. Uploads are refused.`, fix };
}
