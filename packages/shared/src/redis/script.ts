import { createHash } from 'node:crypto';
import type { RedisClient } from './connect-redis.js';

/** What a script may answer, as ioredis gives it: Lua's nil and false are null. */
export type ScriptReply = string | number | null | ScriptReply[];

/** What a script is given besides its keys. A Buffer goes byte for byte, as what BullMQ packs must. */
export type ScriptArgument = string | number | Buffer;

/** A Lua script that runs atomically on the server. Its text never contains values: the server caches it by hash. */
export interface Script {
  (redis: RedisClient, keys: readonly string[], args: readonly ScriptArgument[]): Promise<ScriptReply>;
  readonly text: string;
}

/** Sends the hash, and the text only where the server does not know it. Rejects with the error of the server or of ioredis. */
export function defineScript(text: string): Script {
  const sha = createHash('sha1').update(text).digest('hex');
  const run = async (
    redis: RedisClient,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<ScriptReply> => {
    const operands = [...keys, ...args];
    try {
      return (await redis.evalsha(sha, keys.length, ...operands)) as ScriptReply;
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return (await redis.eval(text, keys.length, ...operands)) as ScriptReply;
    }
  };
  return Object.assign(run, { text });
}
