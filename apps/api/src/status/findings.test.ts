import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startCloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { silentLogger, type LogFields } from '@holdfast/foundation/logging';
import { newMediaId } from '@holdfast/shared/media';
import { startManagedRedis, startRedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

async function anApi(): Promise<RunningApi> {
  const redis = await startRedisSandbox();
  onTestFinished(() => redis.close());
  const api = await startApi(redis);
  onTestFinished(() => api.close());
  return api;
}

interface Finding {
  code: string;
  severity: string;
  message: string;
}

/** Measured afresh: how long results are shared is the subject of redis-state.test.ts. */
async function healthOf(api: RunningApi): Promise<{ status: string; findings: Finding[] }> {
  api.deps.redisStates.forget();
  const { body } = await api.call('GET', '/api/media/health');
  const { status, storage } = body as { status: string; storage: { findings: Finding[] } };
  return { status, findings: storage.findings };
}

it('says that the disk of the local host is full, as every upload does', async () => {
  const api = await anApi();
  const free = vi.spyOn(api.deps.host, 'freeBytes').mockResolvedValue(199_999_999);
  onTestFinished(() => free.mockRestore());
  const { status, findings } = await healthOf(api);
  expect(status).toBe('degraded');
  expect(findings.map(({ code }) => code)).toContain('STORAGE_FULL');
});

it.each([
  ['HOST_REJECTED', 'Invalid Signature', true],
  ['HOST_TIMEOUT', 'no answer', true],
  ['HOST_RATE_LIMITED', 'wait', false],
])('tells of a sync that waits for the host after %s', async (code, message, isTold) => {
  const api = await anApi();
  const run = {
    runId: newMediaId(),
    trigger: 'schedule',
    findings: [],
    waitingUntil: new Date(Date.now() + 60_000).toISOString(),
    lastError: { code, message, at: new Date().toISOString() },
  };
  await api.deps.redis.request.set(api.deps.keys.syncRun, JSON.stringify({ run }));
  const told = (await healthOf(api)).findings.find((finding) => finding.code === 'SYNC_WAITS');
  expect(told?.message.includes(message) ?? false).toBe(isTold);
});

it('no longer tells of a sync that waits once the host, which failed after it, has answered', async () => {
  const api = await anApi();
  const at = (seconds: number): string => new Date(Date.now() - seconds * 1_000).toISOString();
  const run = {
    runId: newMediaId(),
    trigger: 'schedule',
    findings: [],
    waitingUntil: new Date(Date.now() + 20_000).toISOString(),
    lastError: { code: 'HOST_TIMEOUT', message: 'no answer', at: at(90) },
  };
  await api.deps.redis.request.set(api.deps.keys.syncRun, JSON.stringify({ run }));
  const health = api.deps.host.health();
  const tells = async (lastFailureAt: string | null, lastSuccessAt: string): Promise<boolean> => {
    vi.spyOn(api.deps.host, 'health').mockReturnValue({ ...health, lastFailureAt, lastSuccessAt });
    return (await healthOf(api)).findings.some(({ code }) => code === 'SYNC_WAITS');
  };
  onTestFinished(() => void vi.restoreAllMocks());
  expect(await tells(at(10), at(20))).toBe(true);
  expect(await tells(at(10), at(5))).toBe(false);
  // Calls of this API say nothing of a listing that the host refuses.
  expect(await tells(null, at(5))).toBe(true);
  expect(await tells(at(200), at(5))).toBe(true);
});

it('says at once that Redis was emptied, before a run refills the catalog', async () => {
  const api = await anApi();
  const isTold = async (): Promise<boolean> =>
    (await healthOf(api)).findings.some(({ code }) => code === 'CATALOG_REBUILDING');
  const { keys, redis: clients, rebuilding } = api.deps;
  await clients.request.set(keys.epoch, Date.now());
  await vi.waitFor(() => expect(rebuilding.knownEpoch()).not.toBeNull(), { timeout: 20_000 });
  expect(await isTold()).toBe(false);
  await clients.request.flushall();
  expect(await isTold()).toBe(true);
});

it('says that the catalog belongs to another host, until that one is configured again', async () => {
  const redis = await startRedisSandbox();
  onTestFinished(() => redis.close());
  const emulator = await startCloudinaryEmulator();
  onTestFinished(() => emulator.close());
  const severities = async (env: Record<string, string>, files: number): Promise<string[]> => {
    const api = await startApi(redis, { REDIS_PREFIX: 'changed', ...env });
    for (let n = 0; n < files; n += 1) await api.addMedia();
    const { findings } = await healthOf(api);
    const { body } = await api.call('GET', '/api/media/database/status');
    await api.close();
    const told = findings.filter(({ code }) => code === 'HOST_CHANGED');
    expect(body).toMatchObject({ storage: { findings: expect.arrayContaining(told) as unknown } });
    return told.map(({ severity }) => severity);
  };
  expect(await severities({}, 1)).toEqual([]);
  const cloud = { CLOUDINARY_URL: emulator.cloudinaryUrl };
  // Anything but a notice makes health degraded.
  expect(await severities(cloud, 0)).toEqual(['warning']);
  expect(await severities(cloud, 0)).toEqual(['warning']);
  expect(await severities({}, 0)).toEqual([]);
  await redis.client.flushall();
  expect(await severities(cloud, 0)).toEqual([]);
});

it('names the queues that are paused, until they are resumed', async () => {
  const api = await anApi();
  const told = async () => (await healthOf(api)).findings.find(({ code }) => code === 'QUEUE_PAUSED');
  const { save, verify, sync } = api.deps.queues.queues;
  expect(await told()).toBeUndefined();
  await Promise.all([save.pause(), sync.pause()]);
  expect((await told())?.message).toContain('save, sync.');
  expect((await healthOf(api)).status).toBe('degraded');
  await Promise.all([save.resume(), sync.resume(), verify.pause()]);
  expect((await told())?.message).toContain('Paused: verify.');
  await verify.resume();
  expect(await told()).toBeUndefined();
});

describe('after Redis was emptied', () => {
  const isTold = async (api: RunningApi): Promise<boolean> =>
    (await healthOf(api)).findings.some(({ code }) => code === 'NO_WORKER');
  /** One worker that has announced itself, as far as the server shows connections: `addr` is that of its own. */
  async function aWorker(api: RunningApi, connections: Record<string, string>[]) {
    const { keys, redis: clients, queues } = api.deps;
    await clients.request.zadd(keys.workers, Date.now() + 60_000, 'a worker');
    const counted = vi.spyOn(queues.queues.verify, 'getWorkers').mockResolvedValue(connections);
    onTestFinished(() => counted.mockRestore());
    expect(await isTold(api)).toBe(false);
    return counted;
  }

  it('does not take a worker that is connected for dead before it has announced itself again', async () => {
    const api = await anApi();
    await aWorker(api, [{ addr: 'here' }]);
    await api.deps.redis.request.flushall();
    expect(await isTold(api)).toBe(false);
  });

  it('reports at once that no worker is connected', async () => {
    const api = await anApi();
    const counted = await aWorker(api, [{ addr: 'here' }]);
    await api.deps.redis.request.flushall();
    counted.mockResolvedValue([]);
    expect(await isTold(api)).toBe(true);
  });
});

it('reports at once a worker whose registration has expired', async () => {
  const api = await anApi();
  const { keys, redis: clients, queues } = api.deps;
  const counted = vi.spyOn(queues.queues.verify, 'getWorkers').mockResolvedValue([{ addr: 'here' }]);
  onTestFinished(() => counted.mockRestore());
  await clients.request.zadd(keys.workers, Date.now() - 1, 'a worker that hangs');
  expect((await healthOf(api)).findings.map(({ code }) => code)).toContain('NO_WORKER');
});

it('reports a changed setting of a running server within seconds, and its repair too', async () => {
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

it('reports what Upstash confirms', async () => {
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
