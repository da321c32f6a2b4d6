import type { Cluster } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { readSettings } from '../config/index.js';
import { silentLogger } from '../logging/index.js';
import { startMovingSlot } from '../testing/index.js';
import { closeRedis, connectRedis } from './index.js';

const KEY = '{holdfast}:key';

it('leaves no failure unhandled when the node that takes over a slot is gone', async () => {
  const slots = await startMovingSlot(KEY);
  onTestFinished(() => slots.close());
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  const { redis } = readSettings(slots.env);
  const client = connectRedis(redis.connection, 'background', silentLogger) as Cluster;
  onTestFinished(() => closeRedis(client));
  await new Promise((resolve) => client.once('ready', resolve));
  const made = client.duplicate();
  onTestFinished(() => made.disconnect());
  await new Promise((resolve) => made.once('ready', resolve));
  await slots.killTo();
  await Promise.all(
    [client, made].map((one) => expect(one.get(KEY)).rejects.toThrow(/timed out|closed|redirections/)),
  );
  expect(unhandled).toEqual([]);
});
