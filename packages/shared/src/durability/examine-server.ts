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
import { readServerFacts, serverName, type ServerFacts } from './server-facts.js';
import { lacking } from './server-findings.js';
import { probeServer, type ProbeResult } from './server-probes.js';

/** What was found out of the Redis server before anything else connects to it. */
export interface Examination {
  /** The settings, with what the server itself tells: the profile, and whose it is. */
  redis: RedisSettings;
  /** Null where Redis did not serve. */
  examined: { facts: ServerFacts; results: readonly ProbeResult[] } | null;
}

/** A server that refuses connections may come up at any moment; one that says nothing yet may be far away. */
const PRESENT_WITHIN_MS = 1_000;
const FAR_AWAY_MS = 2_000;

/**
 * For the start of a process. Throws REDIS_UNSUITABLE for a server that lacks what Holdfast needs. Where Redis does not serve
 * now nothing is known, and the start goes on.
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
    const server = serverOf(client, redisKeys(settings.prefix).barrier);
    const facts = await readServerFacts(server);
    const results = await probeServer(server, settings, facts);
    const lacks = lacking(results, true);
    if (lacks.length > 0)
      throw unsuitable(
        `${serverName(facts)} ${place.replace(/^(?:The )?Redis /, '')} lacks what Holdfast needs`,
        lacks.map(({ probe, said }) => ({
          path: `${probe.name}:`,
          message: `${said}. ${probe.means} ${probe.fix}`,
        })),
      );
    const profile = settings.profile ?? profileNameOf(facts);
    // An address of one's own does not show whose server it is.
    const isUpstash = facts.server === 'upstash' && settings.storageType === 'Redis';
    const storageType = isUpstash ? 'Upstash Redis' : settings.storageType;
    return { redis: { ...settings, storageType, profile }, examined: { facts, results } };
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

/** The profile of a server by what it says of itself. */
export function profileNameOf({ server }: Pick<ServerFacts, 'server'>): RedisProfileName {
  return server === 'upstash' ? 'upstash' : 'standard';
}
