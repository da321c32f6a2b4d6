import type { RedisProfileName, RedisSettings } from '@holdfast/foundation/config';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import {
  closeRedis,
  connectionError,
  connectRedis,
  isReadyWithin,
  redisKeys,
  serverOf,
  type RedisClient,
} from '../redis/index.js';
import { placeOf } from './redis-outage.js';
import { readServerFacts, type ServerFacts } from './server-facts.js';
import { unsuitableServer } from './server-findings.js';
import { probeServer, type ProbeResult } from './server-probes.js';

/** What was found out of the Redis server before anything else connects to it. */
export interface Examination {
  /** The settings, with what the server itself tells: the profile, and whose it is. */
  redis: RedisSettings;
  /** Null where Redis did not serve. */
  examined: { facts: ServerFacts; results: readonly ProbeResult[] } | null;
}

/** One that refuses connections may come up at any moment; one that says nothing yet may be far away. */
const PRESENT_WITHIN_MS = 1_000;
const FAR_AWAY_MS = 2_000;

/**
 * For the start of a process. Throws REDIS_UNSUITABLE for a server that lacks what Holdfast needs. Where Redis does not serve
 * now nothing is known, and the start goes on.
 */
export async function examineServer(settings: RedisSettings, log: Logger): Promise<Examination> {
  const client = connectRedis(settings.connection, 'background', log);
  try {
    if (!(await isServing(client))) return unexamined(settings, client);
    const server = await serverOf(client, redisKeys(settings.prefix).barrier);
    const facts = await readServerFacts(server);
    const results = await probeServer(server, settings, facts);
    const unsuitable = unsuitableServer(placeOf(settings.connection), facts, results);
    if (unsuitable !== null) throw unsuitable;
    return {
      redis: { ...named(settings, facts), profile: settings.profile ?? profileNameOf(facts) },
      examined: { facts, results },
    };
  } catch (error) {
    if (!isHoldfastError(error, 'CATALOG_UNAVAILABLE')) throw error;
    log.warn('redis.not_examined', { error });
    return { redis: settings, examined: null };
  } finally {
    await closeRedis(client);
  }
}

/** An address of one's own does not show whose server it is. */
function named(settings: RedisSettings, { server }: ServerFacts): RedisSettings {
  const isUpstash = server === 'upstash' && settings.storageType === 'Redis';
  return isUpstash ? { ...settings, storageType: 'Upstash Redis' } : settings;
}

async function isServing(client: RedisClient): Promise<boolean> {
  if (await isReadyWithin(client, PRESENT_WITHIN_MS)) return true;
  return connectionError(client) === undefined && isReadyWithin(client, FAR_AWAY_MS);
}

/** The connection never becomes ready where the database of REDIS_URL is not there. */
function unexamined(redis: RedisSettings, client: RedisClient): Examination {
  const error: (Error & { command?: { name?: string } }) | undefined = connectionError(client);
  const said = error?.command?.name === 'select' ? error.message : '';
  if (!/^ERR .*(?:DB index|database|SELECT)/i.test(said)) return { redis, examined: null };
  throw new HoldfastError(
    'REDIS_UNSUITABLE',
    `${placeOf(redis.connection)} has no database of the number in REDIS_URL`,
    {
      errors: [
        {
          path: 'Database:',
          message: `${said}. Leave the number out, and set REDIS_PREFIX where others use the server.`,
        },
      ],
    },
  );
}

/** The profile of a server by what it says of itself. */
export function profileNameOf({ server }: Pick<ServerFacts, 'server'>): RedisProfileName {
  return server === 'upstash' ? 'upstash' : 'standard';
}
