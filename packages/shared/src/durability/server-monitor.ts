import type { RedisSettings, Settings } from '@holdfast/foundation/config';
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
import { confirmsTruly, readServerFacts, serverName } from './server-facts.js';
import {
  connectionFindings,
  lackFindings,
  lacking,
  placeOf,
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
  const server = createServerMonitor(main, settings, examined, log);
  const barrier = createBarrier(ofBarrier, keys, settings.durability.replicas, () => server.believesFsync());
  return { settings, examined, profile, keys, connect, main, ofBarrier, server, barrier };
}

/** A server that refuses connections may come up at any moment; one that says nothing yet may be far away. */
const PRESENT_WITHIN_MS = 1_000;
const FAR_AWAY_MS = 2_000;

/**
 * Looks at the server before anything else connects to it. Answers the settings with what the server itself tells, the profile and whose
 * it is. Throws REDIS_UNSUITABLE for a server that lacks what Holdfast needs. Where Redis does not serve now `examined` is null, and
 * the start continues.
 */
export async function examineServer(
  settings: RedisSettings,
  log: Logger,
): Promise<{ redis: RedisSettings; examined: SeenServer | null }> {
  const client = connectRedis(settings.connection, 'background', log);
  try {
    const isReady =
      (await isReadyWithin(client, PRESENT_WITHIN_MS)) ||
      (connectionError(client) === undefined && (await isReadyWithin(client, FAR_AWAY_MS)));
    if (!isReady) return { redis: settings, examined: null };
    const examined = await seeServer(client, settings, null);
    refuseUnsuitable(examined, settings);
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

function refuseUnsuitable({ facts, results }: SeenServer, { connection }: RedisSettings): void {
  const lacks = lacking(results, true);
  if (lacks.length === 0) return;
  const server = `${serverName(facts)} ${placeOf(connection).replace(/^(?:The )?Redis /, '')}`;
  throw new HoldfastError('REDIS_UNSUITABLE', `${server} lacks what Holdfast needs`, {
    errors: lacks.map(({ probe, said }) => ({
      path: `${probe.name}:`,
      message: `${said}. ${probe.means} ${probe.fix}`,
    })),
  });
}

/** The server as it is now. What it offers is tried unless that is `known` of the same server. */
async function seeServer(
  client: RedisClient,
  settings: RedisSettings,
  known: SeenServer | null,
): Promise<SeenServer> {
  const server = serverOf(client, redisKeys(settings.prefix).barrier);
  const facts = await readServerFacts(server);
  const isSame = known?.facts.runId === facts.runId && serverName(known.facts) === serverName(facts);
  return { facts, results: isSame ? known.results : await probeServer(server, settings, facts) };
}

const PATIENCE_MS = 500;
/** A look counts for so long, or longer where commands are billed: settings of a running server may be changed. */
const FRESH_MS = 2_000;
/** What was refused may be granted by now. */
const TRY_REFUSED_AFTER_MS = 60_000;

/** What the Redis server of a running process is, and whether its confirmations can be believed. */
export type ServerMonitor = ReturnType<typeof createServerMonitor>;

/**
 * Looks at each new connection, where another server may answer, and then only when asked: an idle process sends nothing. `examined`:
 * what the start has seen of the server, which is not tried again.
 */
export function createServerMonitor(
  redis: RedisClient,
  settings: Pick<Settings, 'redis' | 'durability'>,
  examined: SeenServer | null,
  log: Logger,
) {
  const freshMs = Math.max(FRESH_MS, profileOfClient(redis).factsFreshMs);
  const rests = redisBackoff(redis);
  let seen = examined;
  /** Whether the last look succeeded. */
  let isSeen = examined !== null;
  let findings: readonly Finding[] = [];
  let lookedAt = -Infinity;
  let triedAt = -Infinity;
  let looking: Promise<void> | undefined;

  const look = async (): Promise<void> => {
    const startedAt = performance.now();
    const triesAgain =
      startedAt - triedAt > TRY_REFUSED_AFTER_MS &&
      seen?.results.some(({ outcome }) => outcome === 'refused') === true;
    try {
      seen = await seeServer(redis, settings.redis, triesAgain ? null : seen);
    } catch (error) {
      isSeen = false;
      void rests.rest();
      log.warn('server.not_judged', { error });
      return;
    }
    isSeen = true;
    lookedAt = performance.now();
    if (triesAgain) triedAt = lookedAt;
    rests.reset();
    const now = [...serverFindings(seen, settings.durability), ...lackFindings(seen, settings.durability)];
    for (const finding of now)
      if (!findings.some(({ code }) => code === finding.code))
        log[finding.severity === 'notice' ? 'info' : 'warn']('redis.finding', { finding });
    findings = now;
  };
  const lookOnce = (): Promise<void> => (looking ??= look().finally(() => (looking = undefined)));
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
    /** Whether a confirmed fsync is one. False until that is known, and once the server cannot be looked at. */
    believesFsync: (): boolean => isSeen && seen !== null && confirmsTruly(seen.facts),
    /** Resolves once the present server was looked at, or cannot be. Never rejects. */
    judged: refresh,
    /** What an operator should know of the server: as fresh as agreed where Redis answers, else what was last known. Takes at most 0.5 s. */
    findings: async (): Promise<readonly Finding[]> => {
      await withinMs(PATIENCE_MS, refresh(), undefined);
      return findings;
    },
    /** Names the server that was looked at last, and its start; null before the first look. */
    serverRun: (): string | null => (seen === null || seen.facts.runId === '' ? null : seen.facts.runId),
    close: () => void redis.off('ready', onReady),
  };
}
