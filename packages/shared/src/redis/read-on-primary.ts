import type { Cluster, Redis } from 'ioredis';

/** Reads of one key and more arguments, and reads whose arguments are all keys. Their replies are the same from a script. */
const readsOfOneKey = [
  'get',
  'hget',
  'hmget',
  'lindex',
  'lrange',
  'zcard',
  'zcount',
  'zmscore',
  'zrandmember',
  'zrange',
  'zrangebyscore',
  'zscore',
] as const;
const readsOfKeys = ['exists', 'mget'] as const;

// Keys are declared: one that is not in memory is then fetched before the server's lock is taken. Lua takes some 8,000 values
// at once; no caller asks for more than a page of 1,000.
const readOne = `return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))`;
const readMany = `return redis.call(ARGV[1], unpack(KEYS))`;

/**
 * Where reads may come from a replica that is behind, ours go to the primary as scripts, since any script may write. What a
 * command of this client reads then shows every write that was acknowledged before (docs/decisions/0024-a-rented-redis.md).
 * Pipelines, scripts of one's own and `call` are left as they are.
 */
export function readOnPrimary<Client extends Redis | Cluster>(client: Client): Client {
  const evaluate = (text: string, keys: unknown[], args: unknown[]): Promise<unknown> =>
    client.eval(text, keys.length, ...(keys as string[]), ...(args as string[]));
  const reads = Object.fromEntries([
    ...readsOfOneKey.map((name) => [
      name,
      (...given: unknown[]) => {
        const [key, ...rest] = given.flat();
        return evaluate(readOne, [key], [name, ...rest]);
      },
    ]),
    ...readsOfKeys.map((name) => [name, (...given: unknown[]) => evaluate(readMany, given.flat(), [name])]),
  ]) as Partial<Client>;
  return Object.assign(client, reads);
}
