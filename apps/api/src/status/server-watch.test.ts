import { expect, it, onTestFinished, vi } from 'vitest';
import { readSettings } from '@holdfast/shared/config';
import { createServerCheck } from '@holdfast/shared/durability';
import { silentLogger, type LogFields } from '@holdfast/shared/logging';
import { closeRedis, connectRedis, redisKeys, redisProfiles } from '@holdfast/shared/redis';
import { startManagedRedis, startMovingSlot, startRedisSandbox } from '@holdfast/shared/testing';
import { startApi } from '../../test/support/running-api.js';
import { createServerWatch } from './server-watch.js';

it('tells of a server that was changed while it runs within seconds, and when it is mended', async () => {
  const redis = await startRedisSandbox();
  const api = await startApi(redis);
  const codes = async (): Promise<string[]> => {
    const { body } = await api.call('GET', '/api/media/database/status');
    return body.storage.findings.map(({ code }: { code: string }) => code);
  };
  const soon = { interval: 100 };
  expect(await codes()).not.toContain('EVICTION_POLICY');
  await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await vi.waitFor(async () => expect(await codes()).toContain('EVICTION_POLICY'), soon);
  await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
  await vi.waitFor(async () => expect(await codes()).not.toContain('EVICTION_POLICY'), soon);
  await api.close();
  await redis.close();
});

it('logs what is wrong with the server, not only that something is', async () => {
  const redis = await startRedisSandbox(['--maxmemory-policy', 'allkeys-lru']);
  const logged: [string, LogFields | undefined][] = [];
  const api = await startApi(
    redis,
    {},
    { ...silentLogger, warn: (event, fields) => void logged.push([event, fields]) },
  );
  expect(logged).toContainEqual([
    'redis.finding',
    {
      finding: expect.objectContaining({
        code: 'EVICTION_POLICY',
        message: expect.stringContaining('throw away'),
        fix: expect.stringContaining('noeviction'),
      }),
    },
  ]);
  await api.close();
  await redis.close();
});

it('judges the server that holds our keys now, after their slot has moved', async () => {
  const slots = await startMovingSlot(redisKeys(readSettings({}).redis.prefix).barrier);
  onTestFinished(() => slots.close());
  await slots.to.client.config('SET', 'appendfsync', 'no');
  const { redis, durability } = readSettings({ ...slots.env, DURABILITY_REPLICAS: '0' });
  const client = connectRedis(redis.connection, 'request', silentLogger);
  onTestFinished(() => closeRedis(client));
  await new Promise<void>((resolve) => void client.once('ready', () => resolve()));
  const watch = createServerWatch({
    redis: client,
    settings: { redis, durability },
    profile: redisProfiles.standard,
    check: createServerCheck({ examination: { redis, examined: null }, durability, log: silentLogger }),
    log: silentLogger,
  });
  onTestFinished(() => watch.close());
  const codes = async (): Promise<string[]> => (await watch.current()).findings.map(({ code }) => code);
  expect(await codes()).toEqual([]);
  await slots.finish();
  await vi.waitFor(async () => expect(await codes()).toEqual(['FSYNC_EVERYSEC']), { interval: 200 });
});

const hidesPolicy = (text: string): string => text.replaceAll(/^(?:aof|rdb)_.*\r\n/gm, '');
const refuses = (command: string) => ({ [command]: `-ERR Command is not available: '${command}'` });
/** As Upstash answers where it shows nothing. */
const noConfig = { CONFIG: '*0' };

it.each([
  ['WAITAOF', { DURABILITY_REQUIRED: 'fsynced' }],
  ['WAIT', { DURABILITY_REQUIRED: 'replicated', DURABILITY_REPLICAS: '1' }],
])('says that a level which needs %s cannot be reached where the server refuses it', async (command, env) => {
  const answers = { ...noConfig, ...refuses(command) };
  const managed = await startManagedRedis({ answers, info: hidesPolicy });
  onTestFinished(() => managed.close());
  const api = await startApi(managed, env);
  onTestFinished(() => api.close());
  const codes = async (): Promise<string[]> => {
    const { body } = await api.call('GET', '/api/media/database/status');
    return body.storage.findings.map(({ code }: { code: string }) => code);
  };
  await vi.waitFor(async () => expect(await codes()).toContain('DURABILITY_UNREACHABLE'), { interval: 100 });
});

it('says of Upstash what it confirms', async () => {
  const info = (text: string): string => `${hidesPolicy(text)}upstash_version:1.13.3\r\n`;
  const managed = await startManagedRedis({ answers: noConfig, info });
  onTestFinished(() => managed.close());
  const api = await startApi(managed);
  onTestFinished(() => api.close());
  const level = (): Promise<unknown> => api.deps.barrier.confirm();
  await vi.waitFor(async () => expect(await level()).toBe('fsynced'), { interval: 100 });
  await managed.configure({ answers: { ...noConfig, ...refuses('WAITAOF') } });
  await vi.waitFor(async () => expect(await level()).toBe('written'), { interval: 100 });
});
