import type { Redis } from 'ioredis';
import { expect, it, onTestFinished, vi } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import { cutClients, startFaultProxy, startSentinelSandbox } from '../testing/index.js';
import { closeRedis, connectionError, connectRedis } from './index.js';

const CLIENTS = 6;
/** Each way. A search takes three round trips, longer than the pause between two tries: most of the time a client is searching. */
const ARRIVES_AFTER_MS = 300;

/** Sentinels behind links of their own, and the settings that name these. */
async function linkedSentinels() {
  const servers = await startSentinelSandbox();
  onTestFinished(() => servers.close());
  const links = await Promise.all(
    (servers.env['REDIS_SENTINELS'] ?? '')
      .split(',')
      .map((address) => startFaultProxy(Number(address.split(':')[1]))),
  );
  onTestFinished(async () => void (await Promise.all(links.map((link) => link.close()))));
  const { redis } = readSettings({
    ...servers.env,
    REDIS_SENTINELS: links.map(({ port }) => `127.0.0.1:${String(port)}`).join(','),
  });
  return { servers, links, connection: redis.connection };
}

it('passes over a sentinel that accepts connections and never answers', async () => {
  const { links, connection } = await linkedSentinels();
  links[0]?.set({ kind: 'drop-replies' });
  const client = connectRedis(connection, 'background', silentLogger);
  onTestFinished(() => closeRedis(client));
  await vi.waitFor(() => expect(client.status).toBe('ready'));
});

it('waits for sentinels whose every answer takes a second', async () => {
  const { links, connection } = await linkedSentinels();
  for (const link of links) link.set({ kind: 'delay', ms: 500 });
  const client = connectRedis(connection, 'background', silentLogger);
  onTestFinished(() => closeRedis(client));
  const failures: unknown[] = [];
  client.on('error', (error) => failures.push(error));
  await vi.waitFor(() => expect(client.status).toBe('ready'));
  expect(failures).toEqual([]);
});

it('leaves no connection to a sentinel when it is closed while it waits for its next try', async () => {
  const { servers, links, connection } = await linkedSentinels();
  const client = connectRedis(connection, 'background', silentLogger);
  await vi.waitFor(() => expect(client.status).toBe('ready'));
  const open = (): number => links.reduce((sum, link) => sum + link.size(), 0);
  await vi.waitFor(() => expect(open()).toBeGreaterThanOrEqual(links.length));
  const closed = new Promise<void>((resolve) => {
    client.once('reconnecting', () => resolve(closeRedis(client)));
  });
  // No failover, which would end what listens for one.
  expect(await cutClients(servers.client, 'name=holdfast-background ')).toBe(1);
  await closed;
  await vi.waitFor(() => expect(open()).toBe(0));
});

it('prints nothing past the log when every sentinel is gone', async () => {
  const { links, connection } = await linkedSentinels();
  const printed = vi.spyOn(console, 'error').mockReturnValue();
  onTestFinished(() => printed.mockRestore());
  const client = connectRedis(connection, 'background', silentLogger);
  onTestFinished(() => closeRedis(client));
  await vi.waitFor(() => expect(client.status).toBe('ready'));
  const open = (): number => links.reduce((sum, link) => sum + link.size(), 0);
  await vi.waitFor(() => expect(open()).toBeGreaterThanOrEqual(links.length));
  await Promise.all(links.map((link) => link.close()));
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  expect(printed).not.toHaveBeenCalled();
});

it('keeps every client through a failover that is reported while it looks for the master', async () => {
  const { servers, links, connection } = await linkedSentinels();
  const clients = Array.from({ length: CLIENTS }, () => connectRedis(connection, 'background', silentLogger));
  onTestFinished(async () => void (await Promise.all(clients.map((client) => closeRedis(client)))));
  const statuses = (): string[] => clients.map(({ status }) => status);
  const all = (status: string): string[] => clients.map(() => status);
  await vi.waitFor(() => expect(statuses()).toEqual(all('ready')));
  // Each asks one sentinel for the master, and listens to all of them for a change.
  await vi.waitFor(() =>
    expect(links.reduce((sum, link) => sum + link.size(), 0)).toBeGreaterThanOrEqual(CLIENTS * links.length),
  );
  for (const link of links) link.set({ kind: 'delay', ms: ARRIVES_AFTER_MS });
  await servers.killMaster();
  await vi.waitFor(() => expect(statuses()).not.toContain('ready'));
  await vi.waitFor(() => expect(statuses()).toEqual(all('ready')), { interval: 100 });
  expect(await Promise.all(clients.map((client) => client.set('after', 'failover')))).toEqual(all('OK'));
});

it('gives sentinels their own password, finds the next master by it, and reports what they refuse without', async () => {
  const servers = await startSentinelSandbox({ sentinelPassword: 'of-the-sentinels' });
  onTestFinished(() => servers.close());
  const connect = (env: Record<string, string>): Redis => {
    const { redis } = readSettings(env);
    const client = connectRedis(redis.connection, 'background', silentLogger) as Redis;
    onTestFinished(() => closeRedis(client));
    return client;
  };
  const { REDIS_SENTINEL_PASSWORD: _password, ...without } = servers.env;
  const refused = connect(without);
  const client = connect(servers.env);
  await vi.waitFor(() => expect(client.status).toBe('ready'));
  await vi.waitFor(() => expect(connectionError(refused)?.message).toContain('NOAUTH'));
  await servers.killMaster();
  await vi.waitFor(async () => expect(await client.set('after', 'the failover')).toBe('OK'));
  expect(refused.status).not.toBe('ready');
});
