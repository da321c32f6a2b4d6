import { expect, it, onTestFinished, vi } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import { createBackoff, withinMs } from '@holdfast/foundation/lifecycle';
import { silentLogger } from '@holdfast/foundation/logging';
import { closeRedis, connectRedis, isReadyWithin } from '@holdfast/shared/redis';
import { cutClients, startRedisSandbox } from '@holdfast/shared/testing';
import { PatientWorker, redisGone } from './create-worker.js';

it('closes although the connection that waits for jobs is just away', async () => {
  const redis = await startRedisSandbox();
  onTestFinished(() => redis.close());
  const { connection } = readSettings({ REDIS_URL: redis.url }).redis;
  const client = connectRedis(connection, 'queue', silentLogger);
  onTestFinished(() => closeRedis(client));
  const worker = new PatientWorker(
    'work',
    async () => undefined,
    { connection: client, autorun: false },
    { rests: createBackoff(), onRest: () => undefined },
  );
  worker.on('error', () => undefined);
  void worker.run();
  const blocking = await worker.backend.blockingClient;
  const waits = async (): Promise<string> => redis.client.info('clients');
  await vi.waitFor(async () => expect(await waits()).toContain('blocked_clients:1'));
  const closed = new Promise<void>((resolve, reject) => {
    blocking?.on('reconnecting', () => void worker.close().then(resolve, reject));
  });
  await cutClients(redis.client, ' cmd=bzpopmin ');
  await closed;
});

it('reports a server that stays away, not a connection that is back in a moment', async () => {
  const redis = await startRedisSandbox();
  onTestFinished(() => redis.close());
  const client = connectRedis(readSettings({ REDIS_URL: redis.url }).redis.connection, 'queue', silentLogger);
  onTestFinished(() => closeRedis(client));
  expect(await isReadyWithin(client, 10_000)).toBe(true);
  const stopped = new AbortController();
  onTestFinished(() => stopped.abort());
  const gone = redisGone(client, stopped.signal);
  const back = new Promise<void>((resolve) => void client.once('ready', () => resolve()));
  expect(await cutClients(redis.client, 'name=holdfast-queue ')).toBe(1);
  await back;
  // Longer than a server may be away.
  expect(
    await withinMs(
      1_500,
      gone.then(() => 'gone'),
      'there',
    ),
  ).toBe('there');
  await redis.kill();
  await gone;
});
