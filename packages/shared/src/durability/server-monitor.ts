import type { DurabilitySettings, RedisSettings } from '@holdfast/foundation/config';
import { withinMs } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import {
  closeRedis,
  connectRedis,
  isReadyWithin,
  redisBackoff,
  redisKeys,
  serverOf,
  type RedisClient,
} from '../redis/index.js';
import { profileNameOf, type Examination } from './examine-server.js';
import { isFsyncHonest, promisedFsync } from './fsync-honesty.js';
import { readServerFacts, type ServerFacts } from './server-facts.js';
import {
  lackFindings,
  lacking,
  logNewFindings,
  serverFindings,
  type Finding,
  type SeenServer,
} from './server-findings.js';
import { probeServer } from './server-probes.js';

/** What the Redis server of a running process is, and whether its confirmations can be believed. */
export interface ServerMonitor {
  /** Whether a confirmed fsync is one. False until that is known, and once the server cannot be looked at. */
  believesFsync(): boolean;
  /** Resolves once the present server is judged, or cannot be. Never rejects. */
  judged(): Promise<void>;
  /** What an operator should know of the server: as fresh as agreed where Redis answers, else what was last known. Takes at most 0.5 s. */
  findings(): Promise<readonly Finding[]>;
  /** Names the server that was looked at last, and its start; null before the first look. */
  serverRun(): string | null;
  close(): Promise<void>;
}

export interface MonitorOptions {
  redis: RedisClient;
  settings: { redis: RedisSettings; durability: DurabilitySettings };
  /** Of the start: that server is not tried again. */
  examined: Examination['examined'];
  /** How long a look counts. Settings of a running server may be changed. */
  freshMs: number;
  /** Called after each look. `isSuitable`: the server has all that is needed. */
  onFacts?: (facts: ServerFacts, isSuitable: boolean) => void;
  /** Called when it is known whether the server is believed. */
  onJudged?: () => void;
  log: Logger;
}

const PATIENCE_MS = 500;
const UNSUITABLE_AGAIN_MS = 5_000;
/** A server that refuses its probes, for want of a right or of room, is tried again after so long. */
const REFUSED_AGAIN_MS = 60_000;
const CONNECT_WITHIN_MS = 2_000;

type Present = SeenServer & { triedAt: number };

/** Looks at each new connection, where another server may answer, and then only when asked: an idle process sends nothing. */
export function createServerMonitor(options: MonitorOptions): ServerMonitor {
  const { redis, settings, examined, freshMs, onFacts, onJudged, log } = options;
  const { barrier: key } = redisKeys(settings.redis.prefix);
  const rests = redisBackoff(redis);
  let present: Present | null = examined && { ...examined, fsync: null, triedAt: performance.now() };
  let findings: readonly Finding[] = [];
  let lookedAt = -Infinity;
  let looking: Promise<void> | undefined;
  let judging = Promise.resolve();
  let measured: RedisClient | undefined;
  let isClosed = false;

  const isSuitable = (): boolean => lacking(present?.results ?? [], true).length === 0;

  const look = async (): Promise<void> => {
    try {
      present = await see();
    } catch (error) {
      void rests.rest();
      if (present !== null) present = { ...present, fsync: null };
      log.warn('server.not_judged', { error });
      return;
    }
    lookedAt = performance.now();
    const seen = present;
    report(seen);
    // Not part of the look: where the server must be measured it takes seconds. Two at once would disturb each other.
    judging = judging.then(() => judge(seen));
  };

  /** What is known stays where the same server still answers, under the same policy. */
  const see = async (): Promise<Present> => {
    const server = serverOf(redis, key);
    const facts = await readServerFacts(server);
    const known = present !== null && nameOf(present.facts) === nameOf(facts) ? present : null;
    const isRefused = known?.results.some(({ outcome }) => outcome === 'refused') === true;
    const isDue = isRefused && performance.now() - known.triedAt >= REFUSED_AGAIN_MS;
    if (known !== null && !isDue) return Object.assign(known, { facts });
    // The profile was chosen before this server was seen, and stays until the next start.
    const profileName = profileNameOf(facts);
    if (present === null && settings.redis.profile === null && profileName !== 'standard')
      log.warn('redis.profile_differs', { profile: 'standard', found: profileName });
    const results = await probeServer(server, settings.redis, facts);
    return { facts, results, fsync: known?.fsync ?? null, triedAt: performance.now() };
  };

  const report = (server: Present): void => {
    const now = [
      ...serverFindings(server, settings.durability),
      ...lackFindings(server, settings.durability),
    ];
    logNewFindings(log, findings, now);
    findings = now;
    onFacts?.(server.facts, isSuitable());
  };

  const judge = async (server: Present): Promise<void> => {
    // Another server may have taken its place by now.
    if (server !== present || server.fsync !== null || rests.isResting()) return;
    try {
      server.fsync = promisedFsync(server.facts) ?? (await measureFsync(server.facts));
    } catch (error) {
      if (!isClosed) log.warn('server.not_judged', { error });
      lookedAt = -Infinity;
      void rests.rest();
      return;
    }
    if (server !== present) return;
    rests.reset();
    const { facts, fsync } = server;
    log.info('server.judged', { server: facts.server, version: facts.version, believesFsync: fsync });
    report(server);
    onJudged?.();
  };

  /** On a connection of its own: how long the server takes when it does nothing else there. */
  const measureFsync = async (facts: ServerFacts): Promise<boolean> => {
    measured = connectRedis(settings.redis.connection, 'barrier', log);
    try {
      await isReadyWithin(measured, CONNECT_WITHIN_MS);
      return await isFsyncHonest(measured, key, facts);
    } finally {
      await closeRedis(measured);
    }
  };

  const lookOnce = (): Promise<void> =>
    (looking ??= look().finally(() => {
      looking = undefined;
    }));
  const refresh = async (): Promise<void> => {
    const isDue = performance.now() - lookedAt > freshMs && !rests.isResting();
    if (looking !== undefined || isDue) await lookOnce();
  };
  const onReady = (): void => {
    lookedAt = -Infinity;
    // A look that is under way may have lost its connection to this one.
    void Promise.resolve(looking).then(lookOnce);
  };
  redis.on('ready', onReady);
  // The successor of an unsuitable server may not have answered at once, and workers that rest ask for no look.
  const again = setInterval(() => {
    if (!isSuitable()) void lookOnce();
  }, UNSUITABLE_AGAIN_MS).unref();

  return {
    believesFsync: () => present?.fsync === true,
    judged: async () => {
      await refresh();
      await judging;
    },
    findings: async () => {
      await withinMs(PATIENCE_MS, refresh(), undefined);
      return findings;
    },
    serverRun: () => (present === null || present.facts.runId === '' ? null : present.facts.runId),
    close: async () => {
      redis.off('ready', onReady);
      clearInterval(again);
      isClosed = true;
      measured?.disconnect();
      await judging;
    },
  };
}

/** A server under settings that decide what it confirms: another one, or another policy, is tried and judged again. */
function nameOf({ runId, server, version, aofEnabled, fsyncPolicy }: ServerFacts): string {
  return [runId, server, version, aofEnabled, fsyncPolicy].join();
}
