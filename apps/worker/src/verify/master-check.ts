import type { Redis } from 'ioredis';
import { HoldfastError } from '@holdfast/shared/errors';
import { fromRedisError, reconnectRedis, redisErrorKind, redisRefusal } from '@holdfast/shared/redis';

/** Whether a master answers; null where this server does not let us see it in this way. */
type Way = (redis: Redis, key: string) => Promise<boolean | null>;

/** The cheapest first. A demoted master refuses writes, so the last one tells it on every server. */
const ways: readonly Way[] = [
  async (redis) => ((await redis.call('ROLE')) as unknown[])[0] === 'master',
  async (redis) => {
    const role = /^role:(\w+)/m.exec(String(await redis.call('INFO', 'replication')))?.[1];
    return role === undefined ? null : role === 'master';
  },
  async (redis, key) => {
    await redis.set(key, '1', 'EX', 60);
    return true;
  },
];

/**
 * Finds out how this server tells that it is a master, and resolves with the question. Ask it in one go with the reads that it is for:
 * it throws CATALOG_UNAVAILABLE where another than a master answers, and where Redis does not serve.
 */
export function createMasterCheck(redis: Redis, key: string): () => Promise<() => Promise<void>> {
  let known: Way | undefined;
  const ask = async (way: Way): Promise<boolean | null> => {
    try {
      return await way(redis, key);
    } catch (error) {
      if (isHidden(error)) return null;
      if (redisErrorKind(error) === 'demoted') return false;
      throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
    }
  };
  const find = async (): Promise<Way> => {
    for (const way of ways) if ((await ask(way)) !== null) return way;
    throw new HoldfastError('CATALOG_UNAVAILABLE', 'the server does not tell whether it is the master');
  };
  return async () => {
    const way = (known ??= await find());
    return async () => {
      const isMaster = await ask(way);
      if (isMaster === true) return;
      if (isMaster === false) reconnectRedis(redis);
      known = undefined;
      throw new HoldfastError('CATALOG_UNAVAILABLE', 'the server that answers is not the master');
    };
  };
}

function isHidden(error: unknown): boolean {
  const refusal = redisRefusal(error);
  if (refusal === 'command' || refusal === 'unknown') return true;
  return error instanceof Error && error.message.startsWith('NOPERM');
}
