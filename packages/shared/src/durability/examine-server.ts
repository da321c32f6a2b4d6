import type { RedisSettings } from '../config/index.js';
import { isHoldfastError } from '../errors/index.js';
import type { Logger } from '../logging/index.js';
import {
  closeRedis,
  connectionError,
  connectRedis,
  isReadyWithin,
  redisKeys,
  serverOf,
  type RedisClient,
} from '../redis/index.js';
import { readServerFacts, type ServerFacts } from './server-facts.js';

/** What was found out of the Redis server before anything else connects to it. */
export interface Examination {
  /** The settings, with the profile that the server itself tells. */
  redis: RedisSettings;
  /** Null where Redis did not serve. */
  facts: ServerFacts | null;
}

/** One that refuses connections may come up at any moment; one that says nothing yet may be far away. */
const PRESENT_WITHIN_MS = 1_000;
const FAR_AWAY_MS = 2_000;

/** For the start of a process. Where Redis does not serve now, nothing is known and nothing refused. */
export async function examineServer(settings: RedisSettings, log: Logger): Promise<Examination> {
  const client = connectRedis(settings.connection, 'background', log);
  try {
    if (!(await isServing(client))) return { redis: settings, facts: null };
    const facts = await readServerFacts(await serverOf(client, redisKeys(settings.prefix).barrier));
    return { redis: { ...settings, profile: settings.profile ?? profileNameOf(facts) }, facts };
  } catch (error) {
    if (!isHoldfastError(error, 'CATALOG_UNAVAILABLE')) throw error;
    log.warn('redis.not_examined', { error });
    return { redis: settings, facts: null };
  } finally {
    await closeRedis(client);
  }
}

async function isServing(client: RedisClient): Promise<boolean> {
  if (await isReadyWithin(client, PRESENT_WITHIN_MS)) return true;
  return connectionError(client) === undefined && isReadyWithin(client, FAR_AWAY_MS);
}

/** The profile of a server by what it says of itself. */
export function profileNameOf({ server }: Pick<ServerFacts, 'server'>): 'upstash' | 'standard' {
  return server === 'upstash' ? 'upstash' : 'standard';
}
