import { expect, it, onTestFinished, vi } from 'vitest';
import { readSettings } from '../config/index.js';
import { silentLogger } from '../logging/index.js';
import { startFaultProxy, startRedisSandbox } from '../testing/index.js';
import { closeRedis, connectRedis, type RedisRole } from './index.js';

const roles: RedisRole[] = ['request', 'background', 'readback', 'barrier', 'producer'];

it('makes a connection anew that is dead without a sign, also where every command has a limit of its own', async () => {
  const server = await startRedisSandbox();
  onTestFinished(() => server.close());
  const line = await startFaultProxy(server.port);
  onTestFinished(() => line.close());
  const { redis } = readSettings({ REDIS_URL: `redis://127.0.0.1:${String(line.port)}` });
  const clients = roles.map((role) => connectRedis(redis.connection, role, silentLogger));
  onTestFinished(async () => void (await Promise.all(clients.map(closeRedis))));
  const statuses = (): string[] => clients.map(({ status }) => status);
  const all = (word: string): string[] => clients.map(() => word);
  await vi.waitFor(() => expect(statuses()).toEqual(all('ready')), 10_000);
  line.set({ kind: 'strand' });
  const lost = Promise.all(clients.map((client) => client.set('key', 'lost').catch(() => 'no answer')));
  const again = Promise.all(
    clients.map((client) => new Promise<void>((resolve) => void client.once('ready', () => resolve()))),
  );
  expect(await lost).toEqual(all('no answer'));
  await again;
  expect(await Promise.all(clients.map((client) => client.set('key', 'kept')))).toEqual(all('OK'));
}, 60_000);
