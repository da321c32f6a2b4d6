import { Queue, Worker } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { expect, it, onTestFinished, vi } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import { freePort, startFaultProxy, startManagedRedis, startRedisSandbox } from '../testing/index.js';
import { closeRedis, connectRedis, isReadyWithin, type RedisClient } from './index.js';

/** Unlike Node's own, not ended by the errors of the tries. */
const once = (client: RedisClient, event: string): Promise<void> =>
  new Promise((resolve) => void client.once(event, () => resolve()));

/** A cluster that has not all of its slots says that its state is `fail`, as one does that has lost a master. */
async function startFailedCluster() {
  const place = ['--cluster-port', String(await freePort()), '--cluster-announce-ip', '127.0.0.1'];
  const server = await startRedisSandbox(['--cluster-enabled', 'yes', ...place]);
  onTestFinished(() => server.close());
  await server.client.call('CLUSTER', 'ADDSLOTSRANGE', 0, 10_000);
  return { server, complete: () => server.client.call('CLUSTER', 'ADDSLOTSRANGE', 10_001, 16_383) };
}

it('settles the connect of a client while the cluster has failed, and is ready once it has not', async () => {
  const { server, complete } = await startFailedCluster();
  const { redis } = readSettings({ REDIS_CLUSTER_NODES: `127.0.0.1:${String(server.port)}` });
  const client = connectRedis(redis.connection, 'queue', silentLogger) as Cluster;
  onTestFinished(() => client.disconnect());
  const made = client.duplicate();
  onTestFinished(() => made.disconnect());
  await Promise.all([once(client, 'reconnecting'), once(made, 'reconnecting')]);
  for (const one of [client, made]) {
    const ended = once(one, 'end');
    one.disconnect();
    await ended;
    await expect(one.connect()).rejects.toThrow('Connection is closed');
  }
  await complete();
  for (const one of [client, made]) await vi.waitFor(() => expect(one.status).toBe('ready'));
});

/** Nobody listens there: the client only ever waits for its next try. */
async function connectToNobody(variable: string, scheme: string): Promise<RedisClient> {
  const { redis } = readSettings({ [variable]: `${scheme}127.0.0.1:${String(await freePort())}` });
  const client = connectRedis(redis.connection, 'queue', silentLogger);
  onTestFinished(() => client.disconnect());
  return client;
}

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

it('ends or reconnects a Cluster client while it looks up its nodes', async () => {
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

it('leaves a reconnect of a client to its next try', async () => {
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
