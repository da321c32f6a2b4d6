import type { DurabilitySettings, RedisSettings, Settings } from '@holdfast/foundation/config';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { withinMs } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import {
  closeRedis,
  connectionError,
  connectRedis,
  isReadyWithin,
  profileOf,
  profileOfClient,
  redisBackoff,
  redisKeys,
  serverOf,
  type RedisClient,
  type RedisRole,
} from '../redis/index.js';
import { createBarrier } from './durability-barrier.js';
import { placeOf } from './redis-outage.js';
import { confirmsTruly, readServerFacts, serverName, type ServerFacts } from './server-facts.js';
import {
  connectionFindings,
  lackFindings,
  lacking,
  serverFindings,
  type Finding,
  type SeenServer,
} from './server-findings.js';
import { probeServer } from './server-probes.js';

/**
 * What every process has of its Redis server: examined first, then connected to, and watched over the connection `main`. Throws
 * REDIS_UNSUITABLE.
 */
export async function openServer(given: Settings, mainRole: RedisRole, log: Logger) {
  const { redis, examined } = await examineServer(given.redis, log);
  for (const finding of connectionFindings(redis)) log.warn('redis.finding', { finding });
  const settings: Settings = { ...given, redis };
  /** What differs for this kind of Redis. */
  const profile = profileOf(redis);
  const keys = redisKeys(redis.prefix);
  const connect = (role: RedisRole): RedisClient => connectRedis(redis.connection, role, log, profile);
  const main = connect(mainRole);
  const ofBarrier = connect('barrier');
  const server = createServerMonitor({ redis: main, settings, examined, log });
  const barrier = createBarrier({
    redis: ofBarrier,
    keys,
    settings: settings.durability,
    believesFsync: () => server.believesFsync(),
  });
  return { settings, examined, profile, keys, connect, main, ofBarrier, server, barrier };
}

/** What is known about the Redis server before anything else connects to it. */
export interface Examination {
  /** The settings, with what the server itself tells: the profile, and whose it is. */
  redis: RedisSettings;
  /** Null where Redis did not serve. */
  examined: SeenServer | null;
}

/** A server that refuses connections may come up at any moment; one that says nothing yet may be far away. */
const PRESENT_WITHIN_MS = 1_000;
const FAR_AWAY_MS = 2_000;

/**
 * For the start of a process. Throws REDIS_UNSUITABLE for a server that lacks what Holdfast needs. Where Redis does not serve
 * now nothing is known, and the start continues.
 */
export async function examineServer(settings: RedisSettings, log: Logger): Promise<Examination> {
  const client = connectRedis(settings.connection, 'background', log);
  const place = placeOf(settings.connection);
  try {
    const isReady =
      (await isReadyWithin(client, PRESENT_WITHIN_MS)) ||
      (connectionError(client) === undefined && (await isReadyWithin(client, FAR_AWAY_MS)));
    if (!isReady) {
      const said = refusedDatabase(client);
      if (said === null) return { redis: settings, examined: null };
      const message = `${said}. Leave the number out, and set REDIS_PREFIX where others use the server.`;
      throw unsuitable(`${place} has no database of the number in REDIS_URL`, [
        { path: 'Database:', message },
      ]);
    }
    const examined = await seeServer(client, settings, null);
    const lacks = lacking(examined.results, true);
    if (lacks.length > 0)
      throw unsuitable(
        `${serverName(examined.facts)} ${place.replace(/^(?:The )?Redis /, '')} lacks what Holdfast needs`,
        lacks.map(({ probe, said }) => ({
          path: `${probe.name}:`,
          message: `${said}. ${probe.means} ${probe.fix}`,
        })),
      );
    const isUpstash = examined.facts.server === 'upstash';
    const profile = settings.profile ?? (isUpstash ? 'upstash' : 'standard');
    // An address of one's own does not show whose server it is.
    const storageType =
      isUpstash && settings.storageType === 'Redis' ? 'Upstash Redis' : settings.storageType;
    return { redis: { ...settings, storageType, profile }, examined };
  } catch (error) {
    if (!isHoldfastError(error, 'CATALOG_UNAVAILABLE')) throw error;
    log.warn('redis.not_examined', { error });
    return { redis: settings, examined: null };
  } finally {
    await closeRedis(client);
  }
}

const unsuitable = (message: string, errors: { path: string; message: string }[]): HoldfastError =>
  new HoldfastError('REDIS_UNSUITABLE', message, { errors });

/** The connection never becomes ready where the database of REDIS_URL is not there. */
function refusedDatabase(client: RedisClient): string | null {
  const error: (Error & { command?: { name?: string } }) | undefined = connectionError(client);
  const said = error?.command?.name === 'select' ? error.message : '';
  return /^ERR .*(?:DB index|database|SELECT)/i.test(said) ? said : null;
}

/** The server as it is now. What it offers is tried unless that is `known` of the same server and was not refused then. */
async function seeServer(
  client: RedisClient,
  settings: RedisSettings,
  known: SeenServer | null,
): Promise<SeenServer> {
  const server = serverOf(client, redisKeys(settings.prefix).barrier);
  const facts = await readServerFacts(server);
  const isKnown =
    known !== null &&
    nameOf(known.facts) === nameOf(facts) &&
    known.results.every(({ outcome }) => outcome !== 'refused');
  return { facts, results: isKnown ? known.results : await probeServer(server, settings, facts) };
}

function nameOf({ runId, server, version }: ServerFacts): string {
  return [runId, server, version].join();
}

/** What the Redis server of a running process is, and whether its confirmations can be believed. */
export interface ServerMonitor {
  /** Whether a confirmed fsync is one. False until that is known, and once the server cannot be looked at. */
  believesFsync(): boolean;
  /** Resolves once the present server was looked at, or cannot be. Never rejects. */
  judged(): Promise<void>;
  /** What an operator should know of the server: as fresh as agreed where Redis answers, else what was last known. Takes at most 0.5 s. */
  findings(): Promise<readonly Finding[]>;
  /** Names the server that was looked at last, and its start; null before the first look. */
  serverRun(): string | null;
  close(): void;
}

export interface MonitorOptions {
  redis: RedisClient;
  settings: { redis: RedisSettings; durability: DurabilitySettings };
  /** Of the start: that server is not tried again. */
  examined: SeenServer | null;
  log: Logger;
}

const PATIENCE_MS = 500;
/** A look counts for so long, or longer where commands are billed: settings of a running server may be changed. */
const FRESH_MS = 2_000;

/** Looks at each new connection, where another server may answer, and then only when asked: an idle process sends nothing. */
export function createServerMonitor(options: MonitorOptions): ServerMonitor {
  const { redis, settings, examined, log } = options;
  const freshMs = Math.max(FRESH_MS, profileOfClient(redis).factsFreshMs);
  const rests = redisBackoff(redis);
  let seen = examined;
  /** Whether the last look succeeded. */
  let isSeen = examined !== null;
  let findings: readonly Finding[] = [];
  let lookedAt = -Infinity;
  let looking: Promise<void> | undefined;

  const look = async (): Promise<void> => {
    try {
      seen = await seeServer(redis, settings.redis, seen);
      isSeen = true;
      lookedAt = performance.now();
      rests.reset();
    } catch (error) {
      isSeen = false;
      void rests.rest();
      log.warn('server.not_judged', { error });
      return;
    }
    const now = [...serverFindings(seen, settings.durability), ...lackFindings(seen, settings.durability)];
    for (const finding of now)
      if (!findings.some(({ code }) => code === finding.code))
        log[finding.severity === 'notice' ? 'info' : 'warn']('redis.finding', { finding });
    findings = now;
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

  return {
    believesFsync: () => isSeen && seen !== null && confirmsTruly(seen.facts),
    judged: refresh,
    findings: async () => {
      await withinMs(PATIENCE_MS, refresh(), undefined);
      return findings;
    },
    serverRun: () => (seen === null || seen.facts.runId === '' ? null : seen.facts.runId),
    close: () => void redis.off('ready', onReady),
  };
}
