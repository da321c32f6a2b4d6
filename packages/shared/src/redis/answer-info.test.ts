import { Queue, Worker } from 'bullmq';
import { expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger } from '../logging/index.js';
import { startManagedRedis } from '../testing/index.js';
import { closeRedis, connectRedis, isReadyWithin } from './index.js';
import { readSettings } from '../config/index.js';

it.each([
  '-NOPERM this user has no permissions to run the "info" command',
  "-ERR unknown command 'INFO', with args beginning with: ",
  "-ERR Command is not available: 'INFO'.",
])('connects, and has BullMQ work, where INFO answers %s', async (answer) => {
  const redis = await startManagedRedis({ answers: { INFO: answer } });
  onTestFinished(() => redis.close());
  const warned = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  onTestFinished(() => warned.mockRestore());
  const connection = connectRedis(readSettings(redis.env).redis.connection, 'queue', silentLogger);
  onTestFinished(() => closeRedis(connection));
  expect(await isReadyWithin(connection, 2_000)).toBe(true);
  await expect(connection.call('INFO')).rejects.toThrow(answer.slice(1, 8));
  const queue = new Queue('q', { connection });
  onTestFinished(() => queue.close());
  await queue.add('job', {});
  const done = vi.fn<() => Promise<void>>(() => Promise.resolve());
  const worker = new Worker('q', done, { connection });
  onTestFinished(() => worker.close());
  await vi.waitFor(() => expect(done).toHaveBeenCalledOnce());
  expect(warned.mock.calls).toEqual([]);
});

it('passes on what INFO answers, and errors that pass', async () => {
  const redis = await startManagedRedis();
  onTestFinished(() => redis.close());
  const client = connectRedis(readSettings(redis.env).redis.connection, 'background', silentLogger);
  onTestFinished(() => closeRedis(client));
  await isReadyWithin(client, 2_000);
  expect(await client.info('server')).toContain('redis_mode:standalone');
  await redis.configure({ answers: { INFO: '-LOADING Redis is loading the dataset in memory' } });
  await expect(client.info()).rejects.toThrow('LOADING');
});
