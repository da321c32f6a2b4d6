import type { Redis } from 'ioredis';
import { expect, it, onTestFinished, vi } from 'vitest';
import { readSettings } from '../config/index.js';
import { silentLogger } from '../logging/index.js';
import { freePort, startFaultProxy, startRedisSandbox } from '../testing/index.js';
import { connectRedis, type RedisClient } from './index.js';

/** Nobody listens there: the client only ever waits for its next try. */
async function connectToNobody(variable: string, scheme: string): Promise<RedisClient> {
  const { redis } = readSettings({ [variable]: `${scheme}127.0.0.1:${String(await freePort())}` });
  const client = connectRedis(redis.connection, 'queue', silentLogger);
  onTestFinished(() => client.disconnect());
  return client;
}

/** Unlike Node's own, not ended by the errors of the tries. */
const once = (client: RedisClient, event: string): Promise<void> =>
  new Promise((resolve) => void client.once(event, () => resolve()));

it.each([
  ['REDIS_URL', 'redis://'],
  ['REDIS_CLUSTER_NODES', ''],
])('ends a client that waits for its next try, and one made of it: %s', async (variable, scheme) => {
  const client = await connectToNobody(variable, scheme);
  const made = (client as Redis).duplicate();
  onTestFinished(() => made.disconnect());
  made.on('error', () => undefined);
  await Promise.all([once(client, 'reconnecting'), once(made, 'reconnecting')]);
  const unsent = client.get('key');
  const ended = Promise.all([once(client, 'end'), once(made, 'end')]);
  client.disconnect();
  made.disconnect();
  await ended;
  await expect(unsent).rejects.toThrow(/closed|None of startup nodes/);
  expect([client.status, made.status]).toEqual(['end', 'end']);
});

it('ends a Cluster client, or connects it again, that is told so while it looks up its nodes', async () => {
  const { redis } = readSettings({ REDIS_CLUSTER_NODES: `127.0.0.1:${String(await freePort())}` });
  const open = (): RedisClient => connectRedis(redis.connection, 'queue', silentLogger);
  const [ending, again] = [open(), open()];
  onTestFinished(() => again.disconnect());
  const told = Promise.all([once(ending, 'end'), once(again, 'reconnecting')]);
  ending.disconnect();
  again.disconnect(true);
  await told;
  await once(again, 'connecting');
  expect(ending.status).toBe('end');
});

it('leaves a client that is told to connect again to its next try', async () => {
  const client = await connectToNobody('REDIS_URL', 'redis://');
  await once(client, 'reconnecting');
  client.disconnect(true);
  await once(client, 'connecting');
  expect(client.status).not.toBe('end');
});

it('answers what the last connection did not, when the next one ends before it was ready', async () => {
  const server = await startRedisSandbox();
  onTestFinished(() => server.close());
  const line = await startFaultProxy(server.port);
  onTestFinished(() => line.close());
  const { redis } = readSettings({ REDIS_URL: `redis://127.0.0.1:${String(line.port)}` });
  const client = connectRedis(redis.connection, 'queue', silentLogger);
  const blocked = client.bzpopmin('nothing', 0);
  const blockedClients = async (): Promise<string> => server.client.info('clients');
  await vi.waitFor(async () => expect(await blockedClients()).toContain('blocked_clients:1'));
  // Whether it is ready is asked for, and not answered.
  line.set({ kind: 'drop-replies' });
  const connected = once(client, 'connect');
  line.cut();
  await connected;
  client.disconnect();
  await expect(blocked).rejects.toThrow('Connection is closed');
});
