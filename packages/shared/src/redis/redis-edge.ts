import type { ErrorCode } from '../errors/index.js';
import type { RedisClient } from './connect-redis.js';
import { fromRedisError } from './redis-error.js';
import type { RedisKeys } from './redis-keys.js';
import type { Script, ScriptArgument, ScriptReply } from './script.js';

/** Runs work on Redis whose errors become ours: `code` when Redis cannot serve now (see fromRedisError). */
export const redisEdge =
  (code: ErrorCode) =>
  async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw fromRedisError(error, code);
    }
  };

/** The same for scripts that are given the prefix and tell all other keys from it. */
export function scriptEdge(redis: RedisClient, { prefix }: Pick<RedisKeys, 'prefix'>, code: ErrorCode) {
  const edge = redisEdge(code);
  return (script: Script, args: readonly ScriptArgument[]): Promise<ScriptReply> =>
    edge(() => script(redis, [prefix], args));
}
