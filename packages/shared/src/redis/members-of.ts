import type { RedisClient } from './connect-redis.js';

/** Those of these members that a sorted set has. Rejects with what ioredis rejects with. */
export async function membersOf(
  redis: Pick<RedisClient, 'zmscore'>,
  key: string,
  members: readonly string[],
): Promise<Set<string>> {
  if (members.length === 0) return new Set();
  const scores = await redis.zmscore(key, ...members);
  return new Set(members.filter((_, index) => scores[index] !== null));
}
