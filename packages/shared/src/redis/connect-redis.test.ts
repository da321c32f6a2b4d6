import type { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import { expect, it, onTestFinished, vi } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import { startFaultProxy, startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { closeRedis, connectionError, connectRedis, redisProfiles, type RedisRole } from './index.js';

it.each([
  ['that is not there', '/16', async () => undefined],
  [
    'that its user has no right to',
    '/3',
    async (redis: RedisSandbox) => redis.client.acl('SETUSER', 'default', '-select'),
  ],
])('never serves from another database than the one %s', async (_what, path, prepare) => {
  const server = await startRedisSandbox();
  onTestFinished(() => server.close());
  await prepare(server);
  const { redis } = readSettings({ REDIS_URL: `${server.url.replace(/\/0$/, '')}${path}` });
  const client = connectRedis(redis.connection, 'background', silentLogger);
  onTestFinished(() => closeRedis(client));
  const made = (client as Redis).duplicate();
  onTestFinished(() => made.disconnect());
  const ready: string[] = [];
  for (const one of [client, made]) one.on('ready', () => void ready.push('ready'));
  const tries = (one: EventEmitter): Promise<void> =>
    new Promise((resolve) => {
      let count = 0;
      one.on('reconnecting', () => {
        count += 1;
        if (count === 3) resolve();
      });
    });
  await Promise.all([tries(client), tries(made)]);
  expect(ready).toEqual([]);
  expect(connectionError(client)?.message).toMatch(/DB index is out of range|NOPERM/);
});

it.each([
  ['standard', 600],
  ['upstash', 2_000],
] as const)('lets a request wait for one command as long as %s allows', async (profile, commandTimeout) => {
  const server = await startRedisSandbox();
  onTestFinished(() => server.close());
  const { redis } = readSettings({ REDIS_URL: server.url });
  const client = connectRedis(redis.connection, 'request', silentLogger, redisProfiles[profile]);
  onTestFinished(() => closeRedis(client));
  expect(client.options).toMatchObject({ commandTimeout, enableOfflineQueue: false });
});

it('outlives a second error of one socket, as TLS reports after a certificate that is refused', async () => {
  const client = connectRedis({ kind: 'socket', path: '/no/such/socket' }, 'background', silentLogger);
  onTestFinished(() => closeRedis(client));
  const { stream } = await vi.waitFor(() => {
    const inside = client as unknown as { stream?: EventEmitter };
    if (inside.stream === undefined) throw new Error('no socket yet');
    return { stream: inside.stream };
  });
  const report = (message: string) => () => stream.emit('error', new Error(message));
  expect(report('the certificate is refused')).not.toThrow();
  expect(report('tlsv1 alert decode error')).not.toThrow();
});

it('sends servers nothing that those before Redis 7.2 refuse', async () => {
  const server = await startRedisSandbox();
  onTestFinished(() => server.close());
  const { redis } = readSettings({ REDIS_URL: server.url });
  await server.client.config('RESETSTAT');
  const clients = [...roles, 'queue' as const].map((role) =>
    connectRedis(redis.connection, role, silentLogger),
  );
  onTestFinished(async () => void (await Promise.all(clients.map(closeRedis))));
  await vi.waitFor(() => expect(clients.map(({ status }) => status)).toEqual(clients.map(() => 'ready')));
  expect(await server.client.info('commandstats')).not.toContain('setinfo');
});

const roles: RedisRole[] = ['request', 'background', 'readback', 'barrier', 'producer'];

it('reopens a connection that is dead without a sign, even where every command has a limit of its own', async () => {
  const server = await startRedisSandbox();
  onTestFinished(() => server.close());
  const line = await startFaultProxy(server.port);
  onTestFinished(() => line.close());
  const { redis } = readSettings({ REDIS_URL: `redis://127.0.0.1:${String(line.port)}` });
  const clients = roles.map((role) => connectRedis(redis.connection, role, silentLogger));
  onTestFinished(async () => void (await Promise.all(clients.map(closeRedis))));
  const statuses = (): string[] => clients.map(({ status }) => status);
  const all = (word: string): string[] => clients.map(() => word);
  await vi.waitFor(() => expect(statuses()).toEqual(all('ready')));
  line.set({ kind: 'strand' });
  const lost = Promise.all(clients.map((client) => client.set('key', 'lost').catch(() => 'no answer')));
  const again = Promise.all(
    clients.map((client) => new Promise<void>((resolve) => void client.once('ready', () => resolve()))),
  );
  expect(await lost).toEqual(all('no answer'));
  await again;
  expect(await Promise.all(clients.map((client) => client.set('key', 'kept')))).toEqual(all('OK'));
});
