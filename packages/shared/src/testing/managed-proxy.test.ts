import { once } from 'node:events';
import { connect } from 'node:net';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startManagedRedis, type ManagedRedis, type ManagedService } from './managed-proxy.js';

async function rent(service: Partial<ManagedService> = {}): Promise<ManagedRedis> {
  const redis = await startManagedRedis(service);
  onTestFinished(() => redis.close());
  return redis;
}

async function clientOf({ url }: ManagedRedis, connectionName = 'test', protocol: 2 | 3 = 3): Promise<Redis> {
  const client = new Redis(url, { connectionName, protocol, retryStrategy: null, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  onTestFinished(() => client.disconnect());
  await once(client, 'ready');
  return client;
}

it.each([2, 3] as const)('passes on what it does not change (RESP%i)', async (protocol) => {
  const redis = await rent();
  const client = await clientOf(redis, 'test', protocol);
  const large = 'x'.repeat(1_000_000);
  const pipeline = client.pipeline().set('{k}', large).hset('{k}h', { a: '1', b: '2' });
  expect(await pipeline.hgetall('{k}h').get('{k}').get('none').exec()).toEqual([
    [null, 'OK'],
    [null, 2],
    [null, { a: '1', b: '2' }],
    [null, large],
    [null, null],
  ]);
  expect(await client.multi().incr('n').get('n').exec()).toEqual([
    [null, 1],
    [null, '1'],
  ]);
  expect(await client.info('server')).toContain('redis_version');
  await expect(client.incr('{k}')).rejects.toThrow('ERR value is not an integer');
});

it('answers as the service does, also in a transaction', async () => {
  const error = "NOPERM this user has no permissions to run the 'client|list' command";
  const answers = { 'CONFIG GET': '*0', 'CLIENT LIST': `-${error}`, ROLE: "-ERR unknown command 'ROLE'" };
  const redis = await rent({ answers });
  const client = await clientOf(redis);
  expect(await client.call('CONFIG', 'GET', 'save')).toEqual([]);
  await expect(client.client('LIST')).rejects.toThrow(error);
  await expect(client.multi().set('a', 1).role().exec()).rejects.toThrow('EXECABORT');
  expect(await client.get('a')).toBeNull();
  await redis.configure({ answers: {} });
  expect(await client.role()).toContain('master');
});

it('serves clients that it refuses HELLO', async () => {
  const redis = await rent({ answers: { HELLO: "-ERR unknown command 'HELLO'" } });
  const client = await clientOf(redis);
  expect(await client.set('a', 1)).toBe('OK');
});

it('rewrites INFO', async () => {
  const redis = await rent({ info: (text) => text.replace(/# Persistence[^#]*/, '') });
  const client = await clientOf(redis);
  const info = await client.info();
  expect(info).toContain('# Replication');
  expect(info).not.toContain('aof_enabled');
});

it('answers reads late, except on the connection that wrote', async () => {
  const redis = await rent({ readsLagMs: 1_000 });
  const [writer, reader] = await Promise.all([clientOf(redis), clientOf(redis)]);
  await writer.set('a', 1);
  expect(await writer.get('a')).toBe('1');
  const pipeline = reader.pipeline().get('a').eval("return redis.call('GET', 'a')", 0).get('a');
  expect(await pipeline.exec()).toEqual([
    [null, null],
    [null, '1'],
    // A script may write, so what the connection reads after it is its own.
    [null, '1'],
  ]);
  const other = await clientOf(redis);
  expect(await other.get('a')).toBeNull();
  expect(await other.multi().get('a').exec()).toEqual([[null, '1']]);
  const third = await clientOf(redis);
  await vi.waitFor(async () => expect(await third.get('a')).toBe('1'), { interval: 50 });
});

it('refuses by quota, each command of a transaction counted, until it is given back', async () => {
  const error = 'ERR max requests limit exceeded. Limit: 500000, Usage: 500000.';
  const redis = await rent();
  const client = await clientOf(redis);
  await redis.configure({ quota: { left: 5, error } });
  await client.multi().set('a', 1).set('b', 2).exec();
  expect(await client.get('a')).toBe('1');
  await expect(client.get('a')).rejects.toThrow(error);
  expect(redis.refused()).toBe(1);
  expect(await client.ping()).toBe('PONG');
  await redis.configure({ quota: { left: 2, error } });
  await expect(client.multi().set('a', 3).exec()).rejects.toThrow(error);
  await redis.configure({ quota: { left: 0, error, free: [] } });
  await expect(client.ping()).rejects.toThrow(error);
  await redis.configure({ quota: null });
  expect(await client.get('a')).toBe('1');
});

it('refuses what needs room when it is full, scripts and transactions included', async () => {
  const error = 'ERR DB capacity quota exceeded';
  const redis = await rent();
  const client = await clientOf(redis);
  await client.set('a', 1);
  await redis.configure({ full: error });
  await expect(client.set('b', 1)).rejects.toThrow(error);
  await expect(client.eval("return redis.call('SET', 'b', 1)", 0)).rejects.toThrow(error);
  await expect(client.multi().set('b', 1).exec()).rejects.toThrow('EXECABORT');
  expect(await client.get('a')).toBe('1');
  expect(await client.del('a')).toBe(1);
  await redis.configure({ full: null });
  expect(await client.set('b', 1)).toBe('OK');
});

it('refuses large requests, pipelines as a whole, and large replies', async () => {
  const error = 'ERR max request size exceeded. Limit: 10000 bytes, Actual: 12000 bytes';
  const redis = await rent({ requestBytes: { limit: 10_000, error } });
  const client = await clientOf(redis);
  await expect(client.set('a', 'x'.repeat(10_000))).rejects.toThrow(error);
  const half = 'x'.repeat(6_000);
  const [first, second] = (await client.pipeline().set('a', half).set('b', half).exec()) ?? [];
  expect([first?.[1], second?.[0]?.message]).toEqual(['OK', error]);
  expect(await client.set('b', half)).toBe('OK');
  await expect(client.mget('a', 'b')).rejects.toThrow(error);
});

it('refuses connections above its limit, and counts them', async () => {
  const redis = await rent({ connections: { limit: 1, error: 'ERR max number of clients reached' } });
  await clientOf(redis);
  const socket = connect(redis.line.port, '127.0.0.1');
  const [said] = (await once(socket, 'data')) as [Buffer];
  expect(said.toString()).toBe('-ERR max number of clients reached\r\n');
  await once(socket, 'close');
  await redis.configure({ connections: { limit: 2, error: null } });
  await clientOf(redis);
  expect(redis.connections()).toEqual({ open: 2, most: 2, opened: 2 });
  const third = connect(redis.line.port, '127.0.0.1');
  third.on('error', () => undefined);
  await new Promise((resolve) => third.once('close', resolve));
});

it('cuts idle connections', async () => {
  const redis = await rent();
  const client = await clientOf(redis);
  await redis.configure({ idleMs: 50 });
  await once(client, 'end');
  await vi.waitFor(() => expect(redis.connections().open).toBe(0));
});

it('adds latency each way', async () => {
  const redis = await rent();
  const client = await clientOf(redis);
  await redis.configure({ latencyMs: 40 });
  const startedAt = performance.now();
  await client.ping();
  expect(performance.now() - startedAt).toBeGreaterThan(78);
});

it('counts commands by the name of their connection', async () => {
  const redis = await rent();
  const client = await clientOf(redis, 'holdfast-request');
  redis.resetCounts();
  await client.multi().set('a', 1).exec();
  await client.get('a');
  expect(redis.counts()).toEqual({ 'holdfast-request': { MULTI: 1, SET: 1, EXEC: 1, GET: 1 } });
  expect(redis.commands()).toBe(4);
});
