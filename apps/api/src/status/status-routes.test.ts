import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

let redis: RedisSandbox;
let api: RunningApi;
/** Where data survives a restart: a temporary folder may be in memory, which is told as a finding. */
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp('/var/tmp/holdfast-status-');
  redis = await startRedisSandbox();
  await redis.client.call('ACL', 'SETUSER', 'blind', 'on', '>pw', '~*', '&*', '+@all', '-client|list');
  api = await startApi(redis, { DATA_DIR: folder });
});

afterAll(async () => {
  await api.close();
  await redis.close();
  await rm(folder, { recursive: true });
});

/** As BullMQ names the connection of a worker, and as a worker says that it is alive. */
async function aWorkerIsAlive(own: RunningApi): Promise<Redis> {
  const connectionName = `${own.deps.keys.prefix}:${Buffer.from('verify').toString('base64')}`;
  const connection = new Redis(redis.url, { connectionName });
  onTestFinished(() => connection.disconnect());
  await connection.zadd(own.deps.keys.workers, Date.now() + 60_000, 'worker-1');
  return connection;
}

interface Finding {
  code: string;
}
const codesOf = (findings: Finding[]) => findings.map(({ code }) => code);

describe('database/status', () => {
  it('counts what is stored and says where', async () => {
    const own = await startApi(redis, { DATA_DIR: folder });
    await aWorkerIsAlive(own);
    const { id } = await own.addMedia();
    await own.addMedia();
    await own.deps.catalog.markMissing([id], null);
    const { status, body } = await own.call('GET', '/api/media/database/status');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      storage: {
        type: 'Redis',
        hasKV: true,
        connected: true,
        connectionTest: 'passed',
        persistenceWarning: '',
      },
      mediaCount: 2,
      byStatus: { verified: 1, missing: 1, saving: 0 },
      host: { type: 'local', reachable: true },
    });
    expect(codesOf(body.storage.findings).filter((code) => code !== 'EPHEMERAL_DISK')).toEqual([]);
    await own.close();
  });

  it('finds what is wrong with the server, and that no worker is alive', async () => {
    const careless = await startRedisSandbox(['--appendonly', 'no', '--maxmemory-policy', 'allkeys-lru']);
    const own = await startApi(careless);
    const { body } = await own.call('GET', '/api/media/database/status');
    expect(codesOf(body.storage.findings)).toEqual(
      expect.arrayContaining(['PERSISTENCE_OFF', 'EVICTION_POLICY', 'NO_WORKER']),
    );
    expect(body.storage.persistenceWarning).toMatch(/keeps nothing on disk/);
    for (const finding of body.storage.findings)
      expect(finding).toEqual({
        code: expect.any(String),
        severity: expect.stringMatching(/^(error|warning|notice)$/),
        message: expect.any(String),
        fix: expect.any(String),
      });
    await own.close();
    await careless.close();
  });

  it('names variables that look like a setting under a wrong name, and not their values', async () => {
    const own = await startApi(redis, { CLOUDINARY_URI: 'cloudinary://k:not-to-be-shown@demo' });
    const { body } = await own.call('GET', '/api/media/database/status');
    expect(body.storage.findings).toContainEqual({
      code: 'UNREAD_SETTING',
      severity: 'notice',
      message: expect.stringContaining('CLOUDINARY_URI (CLOUDINARY_URL?)'),
      fix: expect.any(String),
    });
    expect(JSON.stringify(body)).not.toContain('not-to-be-shown');
    await own.close();
  });

  it('shows what a full sync found, until another full one', async () => {
    const own = await startApi(redis, { DATA_DIR: folder });
    const finding = { code: 'MASS_MISSING', severity: 'error', message: 'm', fix: 'f', count: 30, ids: [] };
    const notice = { ...finding, code: 'CATALOG_REBUILDING', severity: 'notice' };
    await redis.client.hset(
      own.deps.keys.syncState,
      'lastFullRun',
      JSON.stringify({ findings: [finding, notice] }),
    );
    await redis.client.lpush(own.deps.keys.syncRuns, JSON.stringify({ runId: 'x', findings: [] }));
    const { body } = await own.call('GET', '/api/media/database/status');
    expect(body.storage.findings).toContainEqual({
      code: 'MASS_MISSING',
      severity: 'error',
      message: 'm',
      fix: 'f',
    });
    expect(codesOf(body.storage.findings)).not.toContain('CATALOG_REBUILDING');
    await own.close();
  });
});

describe('health', () => {
  it('is healthy when a record was written, synced, read back and removed', async () => {
    const own = await startApi(redis, { DATA_DIR: folder });
    await aWorkerIsAlive(own);
    const { status, body } = await own.call('GET', '/api/media/health');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'healthy',
      persistence: {
        testPassed: true,
        level: 'fsynced',
        latencyMs: expect.any(Number),
        message: expect.any(String),
      },
      storage: { type: 'Redis', connected: true },
      queues: { available: true, workers: 1, save: { waiting: 0 }, verify: {}, sync: {} },
      host: { type: 'local' },
    });
    expect(await redis.client.keys(`${own.deps.keys.prefix}:probe:*`)).toEqual([]);
    await own.close();
  });

  it('sees at once that the last worker was killed', async () => {
    const own = await startApi(redis, { DATA_DIR: folder });
    const seen = async () => (await own.call('GET', '/api/media/health')).body;
    const worker = await aWorkerIsAlive(own);
    expect(await seen()).toMatchObject({ status: 'healthy', queues: { workers: 1 } });
    worker.disconnect();
    await vi.waitFor(async () =>
      expect(await seen()).toMatchObject({ status: 'degraded', queues: { workers: 0 } }),
    );
    expect(codesOf((await seen()).storage.findings)).toContain('NO_WORKER');
    await own.close();
  });

  it('believes what workers say where the server shows no connections', async () => {
    const own = await startApi({ url: redis.url.replace('//', '//blind:pw@') });
    await aWorkerIsAlive(own);
    expect((await own.call('GET', '/api/media/health')).body).toMatchObject({ queues: { workers: 1 } });
    await own.close();
  });

  it('is degraded without a worker', async () => {
    const { status, body } = await api.call('GET', '/api/media/health');
    expect({ status, word: body.status }).toEqual({ status: 200, word: 'degraded' });
  });

  it('claims no more than the server confirms', async () => {
    const careless = await startRedisSandbox(['--appendonly', 'no']);
    const own = await startApi(careless);
    const { body } = await own.call('GET', '/api/media/health');
    expect(body).toMatchObject({ status: 'degraded', persistence: { testPassed: true, level: 'written' } });
    await own.close();
    await careless.close();
  });

  it('believes a server that syncs every second once it has measured it', async () => {
    const honest = await startRedisSandbox(['--appendfsync', 'everysec']);
    const own = await startApi(honest);
    const level = async () => (await own.call('GET', '/api/media/health')).body.persistence.level;
    await vi.waitFor(async () => expect(await level()).toBe('fsynced'), { interval: 200 });
    const { body } = await own.call('GET', '/api/media/database/status');
    expect(codesOf(body.storage.findings)).toContain('FSYNC_EVERYSEC');
    expect(body.storage.persistenceWarning).not.toBe('');
    await own.close();
    await honest.close();
  });

  it('is unhealthy when Redis accepts no writes, although reads work', async () => {
    const full = await startRedisSandbox();
    const own = await startApi(full, { DATA_DIR: folder });
    const { id } = await own.addMedia();
    await full.client.config('SET', 'maxmemory', '1');
    const { status, body } = await own.call('GET', '/api/media/health');
    expect(status).toBe(503);
    expect(body).toMatchObject({
      status: 'unhealthy',
      persistence: { testPassed: false, level: null, message: 'Redis refuses writes: its memory is full' },
      storage: { persistenceWarning: expect.stringMatching(/^Redis refuses writes: its memory is full/) },
    });
    const seen = (await own.call('GET', '/api/media/database/status')).body;
    expect(seen).toMatchObject({
      storage: {
        connected: true,
        connectionTest: 'failed: Redis refuses writes: its memory is full',
        persistenceWarning: expect.stringMatching(/^Redis refuses writes/),
      },
      mediaCount: 1,
    });
    expect(seen.storage.findings[0]).toMatchObject({
      code: 'WRITES_REFUSED',
      severity: 'error',
      fix: expect.stringMatching(/maxmemory/),
    });
    expect((await own.call('GET', '/readyz')).body).toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    expect((await own.call('GET', `/api/media/${id}`)).status).toBe(200);
    await full.client.config('SET', 'maxmemory', '0');
    own.deps.redisStates.forget();
    expect((await own.call('GET', '/api/media/database/status')).body.storage).toMatchObject({
      connectionTest: 'passed',
      persistenceWarning: '',
    });
    await own.close();
    await full.close();
  });
});

describe('readyz', () => {
  it('is 200 while uploads are taken', async () => {
    expect(await api.call('GET', '/readyz')).toMatchObject({ status: 200, body: { status: 'ready' } });
  });

  it('is 503 while the folder of the local host cannot be used', async () => {
    const own = await startApi(redis, { DATA_DIR: await mkdtemp(join(folder, 'own-')) });
    const { host } = own.deps.settings;
    if (host.kind !== 'local') throw new Error('not the local host');
    await rm(host.directory, { recursive: true });
    expect(await own.call('GET', '/readyz')).toMatchObject({ status: 503, body: { code: 'HOST_REJECTED' } });
    await mkdir(host.directory);
    expect((await own.call('GET', '/readyz')).status).toBe(200);
    await own.close();
  });

  it('is 503 with the reason when all slots are taken, too many jobs wait, or the process stops', async () => {
    const own = await startApi(redis, { UPLOAD_MAX_CONCURRENT: '1', QUEUE_MAX_BACKLOG: '1' });
    const code = async () => {
      const { status, body } = await own.call('GET', '/readyz');
      return status === 503 ? body.code : status;
    };
    const slot = own.deps.uploadSlots.take('a', new IncomingMessage(new Socket()));
    expect(await code()).toBe('OVERLOADED');
    slot?.end();
    expect(await code()).toBe(200);
    const slotAgain = own.deps.uploadSlots.take('a', new IncomingMessage(new Socket()));
    expect(await code()).toBe('OVERLOADED');
    slotAgain?.end();
    await redis.client.rpush(`${own.deps.keys.prefix}:save:wait`, 'a', 'b');
    await vi.waitFor(async () => expect(await code()).toBe('OVERLOADED'));
    await redis.client.del(`${own.deps.keys.prefix}:save:wait`);
    await vi.waitFor(async () => expect(await code()).toBe(200));
    own.deps.shutdown.drain();
    expect(await code()).toBe('SHUTTING_DOWN');
    expect((await own.call('GET', '/livez')).status).toBe(200);
    await own.close();
  });
});

it('sends nothing to Redis without requests, once a worker has begun the catalog', async () => {
  // Of its own: the other APIs here wait for a worker.
  const sandbox = await startRedisSandbox();
  const own = await startApi(sandbox, { DATA_DIR: folder });
  await sandbox.client.set(own.deps.keys.epoch, Date.now());
  await vi.waitFor(() => expect(own.deps.rebuilding.knownEpoch()).not.toBeNull());
  await own.call('GET', '/api/media/health');
  const sent = async () => /total_commands_processed:(\d+)/.exec(await sandbox.client.info('stats'))?.[1];
  const before = Number(await sent());
  // Nothing to wait for: the absence of commands is what is measured.
  const until = performance.now() + 3_000;
  await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(until), { interval: 100 });
  expect(Number(await sent()) - before).toBeLessThanOrEqual(1);
  await own.close();
  await sandbox.close();
});
