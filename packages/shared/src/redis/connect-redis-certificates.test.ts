import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import { silentLogger, type LogFields } from '@holdfast/foundation/logging';
import {
  startClusterSandbox,
  startSentinelSandbox,
  startTlsSandbox,
  type RedisServers,
} from '../testing/index.js';
import {
  closeRedis,
  connectionError,
  connectRedis,
  isReadyWithin,
  redisFault,
  type RedisClient,
  type RedisRole,
} from './index.js';

const roles: RedisRole[] = ['request', 'background', 'readback', 'barrier', 'producer', 'queue'];

function connect(
  env: Record<string, string>,
  role: RedisRole = 'background',
  log = silentLogger,
): RedisClient {
  const client = connectRedis(readSettings(env).redis.connection, role, log);
  onTestFinished(() => closeRedis(client));
  return client;
}

function without({ REDIS_TLS_CA: _ca, ...env }: Record<string, string>): Record<string, string> {
  return env;
}

/** Whether every role connects, and what BullMQ makes of its connection. */
async function areReady(env: Record<string, string>): Promise<boolean[]> {
  const clients = roles.map((role) => connect(env, role));
  const made = (clients.at(-1) as Redis).duplicate();
  onTestFinished(() => made.disconnect());
  return Promise.all([...clients, made].map((client) => isReadyWithin(client, 10_000)));
}

describe.each<[string, () => Promise<RedisServers>]>([
  ['one server', startTlsSandbox],
  ['Sentinel', () => startSentinelSandbox({ encrypted: true })],
  ['Cluster', () => startClusterSandbox({ encrypted: true })],
])('over TLS to %s', (_kind, startServers) => {
  let servers: RedisServers;
  beforeAll(async () => {
    servers = await startServers();
  });
  afterAll(() => servers.close());

  it.each<[string, () => Record<string, string>]>([
    ['trusts the authority of REDIS_TLS_CA', () => servers.env],
    [
      'checks nothing with REDIS_TLS_VERIFY=false',
      () => ({ ...without(servers.env), REDIS_TLS_VERIFY: 'false' }),
    ],
  ])('%s on every connection', async (_what, env) => {
    expect(await areReady(env())).not.toContain(false);
  });

  it('connects to no server of an unknown authority, and names the fault and both settings', async () => {
    const client = connect(without(servers.env));
    await vi.waitFor(() =>
      expect(redisFault(connectionError(client))).toMatchObject({
        why: 'its certificate is signed by an unknown authority',
        fix: expect.stringMatching(/REDIS_TLS_CA.*REDIS_TLS_VERIFY=false/) as string,
      }),
    );
    expect(client.status).not.toBe('ready');
  });
});

it.each([
  ['is self-signed', { selfSigned: true }, /self-signed$/, /REDIS_TLS_CA.*REDIS_TLS_VERIFY=false/],
  ['has expired', { expired: true }, /expired/, /Renew/],
  [
    'is for other names',
    { names: 'DNS:redis.example.com,DNS:*.example.org' },
    /for other names$/,
    /one of these names/,
  ],
])('names the fault of a certificate that %s', async (_what, faults, why, fix) => {
  const server = await startTlsSandbox(faults);
  onTestFinished(() => server.close());
  const warnings: (LogFields | undefined)[] = [];
  const log = { ...silentLogger, warn: (_event: string, fields?: LogFields) => void warnings.push(fields) };
  const client = connect(server.env, 'background', log);
  await vi.waitFor(() => expect(connectionError(client)).toBeDefined());
  const fault = {
    why: expect.stringMatching(why) as string,
    fix: expect.stringMatching(fix) as string,
  };
  expect(redisFault(connectionError(client))).toMatchObject({ kind: 'credentials', ...fault });
  expect(warnings).toContainEqual(expect.objectContaining(fault));
  expect(client.status).not.toBe('ready');
});
