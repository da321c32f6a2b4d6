import { expect, it, onTestFinished } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import { startManagedRedis } from '../testing/index.js';
import {
  closeRedis,
  connectRedis,
  isReadyWithin,
  redisProfiles,
  type RedisClient,
  type RedisRole,
} from './index.js';

/** A service whose reads are behind, what tells the truth, and connections that have written nothing. */
async function rent() {
  const managed = await startManagedRedis({ readsLagMs: 5_000 });
  onTestFinished(() => managed.close());
  const { connection } = readSettings({ REDIS_URL: managed.url }).redis;
  const connect = async (role: RedisRole, name: 'upstash' | 'standard' = 'upstash'): Promise<RedisClient> => {
    const client = connectRedis(connection, role, silentLogger, redisProfiles[name]);
    onTestFinished(() => closeRedis(client));
    await isReadyWithin(client, 5_000);
    return client;
  };
  return { primary: managed.server.client, connect };
}

it.each(['request', 'background', 'readback'] as const)(
  'reads for %s what another connection wrote a moment ago, wherever that is',
  async (role) => {
    const { primary, connect } = await rent();
    const client = await connect(role);
    await primary.set('one', '1');
    expect(await client.mget(['one', 'none'])).toEqual(['1', null]);
  },
);

it('leaves reads of servers that are never behind as they are', async () => {
  const { primary, connect } = await rent();
  const client = await connect('request', 'standard');
  await primary.set('one', '1');
  expect(await client.get('one')).toBeNull();
});

it('answers as the commands themselves do', async () => {
  const { primary, connect } = await rent();
  const client = await connect('request');
  await primary.mset('one', '1', 'two', 'zwei ä');
  await primary.hset('hash', { a: '1', b: '2' });
  await primary.rpush('list', 'x', 'y', 'z');
  await primary.zadd('set', 1.5, 'a', 1_700_000_000_000.25, 'b', 3e15, 'c');
  const asked: ((redis: RedisClient) => Promise<unknown>)[] = [
    (redis) => redis.get('two'),
    (redis) => redis.get('none'),
    (redis) => redis.mget(['one', 'none', 'two']),
    (redis) => redis.mget('one', 'two'),
    (redis) => redis.exists('one', 'none', 'two'),
    (redis) => redis.hget('hash', 'a'),
    (redis) => redis.hmget('hash', 'a', 'none', 'b'),
    (redis) => redis.lindex('list', 0),
    (redis) => redis.lindex('list', 9),
    (redis) => redis.lrange('list', 0, -1),
    (redis) => redis.zcard('set'),
    (redis) => redis.zcount('set', 1, '(3000000000000000'),
    (redis) => redis.zscore('set', 'b'),
    (redis) => redis.zscore('set', 'none'),
    (redis) => redis.zmscore('set', 'a', 'none', 'b'),
    (redis) => redis.zrange('set', '0', '-1', 'WITHSCORES'),
    (redis) => redis.zrange('set', 0, '0', 'WITHSCORES'),
    (redis) => redis.zrangebyscore('set', '-inf', 2, 'LIMIT', 0, 10),
    (redis) => redis.zrandmember('set', 9),
    (redis) => redis.zrandmember('none', 9, 'WITHSCORES'),
  ];
  for (const [index, ask] of asked.entries())
    expect([index, await ask(client)]).toEqual([index, await ask(primary)]);
});
