import { expect, it, onTestFinished } from 'vitest';
import { readSettings } from '@holdfast/shared/config';
import { withinMs } from '@holdfast/shared/lifecycle';
import { silentLogger } from '@holdfast/shared/logging';
import { closeRedis, connectRedis, isReadyWithin } from '@holdfast/shared/redis';
import { cutClients, startRedisSandbox } from '@holdfast/shared/testing';
import { redisGone } from './redis-gone.js';

it('tells of a server that stays away, not of a connection that is back in a moment', async () => {
  const redis = await startRedisSandbox();
  onTestFinished(() => redis.close());
  const client = connectRedis(readSettings({ REDIS_URL: redis.url }).redis.connection, 'queue', silentLogger);
  onTestFinished(() => closeRedis(client));
  expect(await isReadyWithin(client, 10_000)).toBe(true);
  const gone = redisGone(client);
  onTestFinished(() => gone.forget());
  const back = new Promise<void>((resolve) => void client.once('ready', () => resolve()));
  expect(await cutClients(redis.client, 'name=holdfast-queue ')).toBe(1);
  await back;
  // Longer than a server may be away.
  expect(
    await withinMs(
      1_500,
      gone.promise.then(() => 'gone'),
      'there',
    ),
  ).toBe('there');
  await redis.kill();
  await gone.promise;
});
