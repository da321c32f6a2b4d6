import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { SyncPayload } from '@holdfast/shared/jobs';
import { redisProfiles } from '@holdfast/shared/redis';
import { createSyncState } from '@holdfast/shared/sync';
import { aRecord, cutClients } from '@holdfast/shared/testing';
import type { MediaRecord } from '@holdfast/shared/media';
import { HoldfastError } from '@holdfast/foundation/errors';
import { silentLogger } from '@holdfast/foundation/logging';
import { createSyncRequests } from '../src/sync/sync-requests.js';
import { requestRecovery } from '../src/watch/watch.js';
import { openBench, type Bench } from './support/start-worker.js';

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
});
afterEach(() => bench.close());

const within = { interval: 25 };
const untilVerified = (records: readonly MediaRecord[]): Promise<void> =>
  vi.waitFor(async () => {
    const found = await bench.catalog.findStored(records.map(({ id }) => id));
    expect(found.map((one) => one?.record.status)).toEqual(records.map(() => 'verified'));
  }, within);
const enqueue = async (count: number): Promise<MediaRecord[]> => {
  const records = Array.from({ length: count }, () => aRecord());
  for (const record of records) await bench.upload(record);
  return records;
};
const untilRedisIsBack = () =>
  vi.waitFor(() => Promise.all([bench.queues.queues.save.getWaitingCount(), bench.catalog.counts()]), within);
/** Cuts the connections of one role; the watch looks at once when its own is back. */
const cut = async (role: string): Promise<void> => {
  await cutClients(bench.sandbox.client, `name=holdfast-${role} `);
  // The test's own were among them.
  await untilRedisIsBack();
};

it('continues after the server lost its scripts', async () => {
  await bench.startWorker();
  await untilVerified(await enqueue(2));
  await bench.sandbox.client.script('FLUSH');
  await expect(untilVerified(await enqueue(2))).resolves.toBeUndefined();
});

it('rests while Redis is full, uses up no attempt, and continues when there is room', async () => {
  const records = await enqueue(20);
  const used = /used_memory:(\d+)/.exec(await bench.sandbox.client.info('memory'))?.[1] ?? '0';
  await bench.sandbox.client.config('SET', 'maxmemory', String(Math.floor(Number(used) / 2)));
  const before = await commandsProcessed(bench.sandbox.client);
  await bench.startWorker();
  await vi.waitFor(async () => expect(await refusals(bench.sandbox.client)).toBeGreaterThan(2), within);
  // A worker that did not rest would ask thousands of times meanwhile.
  expect((await commandsProcessed(bench.sandbox.client)) - before).toBeLessThan(2_000);
  await bench.sandbox.client.config('SET', 'maxmemory', '0');
  await untilVerified(records);
  const found = await bench.catalog.findStored(records.map(({ id }) => id));
  expect(found.map((one) => one?.record.persistence.attempts)).toEqual(records.map(() => 1));
});

it('notices an emptied Redis: asks for a recovery and sets the schedule again', async () => {
  const { sandbox, keys, queues } = bench;
  // Its return tells that the watch has looked once and has its connection.
  await sandbox.client.del(keys.epoch, keys.syncState);
  await bench.startWorker();
  await vi.waitFor(async () => expect(await sandbox.client.exists(keys.epoch)).toBe(1), within);
  // One that takes its lease only after the wipe would be the recovery itself.
  const state = createSyncState(sandbox.client, keys);
  await vi.waitFor(async () => expect((await state.read()).lastFullRun).not.toBeNull(), within);
  await sandbox.client.flushall();
  await cut('background');
  await vi.waitFor(async () => expect(await sandbox.client.exists(keys.epoch)).toBe(1), within);
  await vi.waitFor(async () => expect((await queues.queues.sync.getJobSchedulers()).length).toBe(1), within);
  const meta = (queue: string) => sandbox.client.hget(`${keys.prefix}:${queue}:meta`, 'opts.maxLenEvents');
  await vi.waitFor(
    async () =>
      expect(await Promise.all(['save', 'verify', 'sync'].map(meta))).toEqual(['100', '100', '100']),
    within,
  );
  const jobs = await queues.queues.sync.getJobs(['waiting', 'active', 'delayed', 'completed', 'failed']);
  expect(jobs.map((job) => (job.data as { trigger: string }).trigger)).toContain('recovery');
  await untilVerified(await enqueue(2));
});

it('registers although the rest of its first check fails', async () => {
  const { sandbox, keys, queues } = bench;
  // The schedule cannot be written.
  await sandbox.client.set(keys.queue('sync', 'repeat'), 'no sorted set');
  await bench.startWorker();
  await vi.waitFor(async () => expect(await sandbox.client.zcard(keys.workers)).toBe(1));
  await sandbox.client.del(keys.queue('sync', 'repeat'));
  // It looks again soon, not after its usual 20 s.
  await vi.waitFor(async () => expect(await queues.queues.sync.getJobSchedulers()).toHaveLength(1));
});

it('asks for one recovery, however many workers find the catalog empty', async () => {
  const { sandbox, keys, queues, settings, catalog } = bench;
  await sandbox.client.del(keys.epoch);
  const requests = createSyncRequests(queues, settings.sync, redisProfiles.standard, silentLogger);
  const request = () => requestRecovery({ catalog, syncRequests: requests, log: silentLogger });
  await Promise.all([request(), request(), request()]);
  const jobs = await queues.queues.sync.getJobs();
  expect(jobs.map(({ data }) => (data as SyncPayload).trigger)).toEqual(['recovery']);
  expect(await sandbox.client.exists(keys.epoch)).toBe(1);
});

it('asks again at once for a recovery that could not be asked for', async () => {
  const { sandbox, keys, catalog } = bench;
  await sandbox.client.del(keys.epoch);
  let tries = 0;
  const requests = {
    recovery: () => {
      tries += 1;
      return tries === 1 ? Promise.reject(new HoldfastError('QUEUE_UNAVAILABLE')) : Promise.resolve();
    },
  };
  const greet = () => requestRecovery({ catalog, syncRequests: requests, log: silentLogger });
  await expect(greet()).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
  expect(await sandbox.client.exists(keys.epoch)).toBe(0);
  await greet();
  expect(tries).toBe(2);
  expect(await sandbox.client.exists(keys.epoch)).toBe(1);
});

it('wakes up for a job whose wake-up went to a connection that is gone', async () => {
  const { sandbox, keys } = bench;
  const thief = new Redis(sandbox.url, { maxRetriesPerRequest: null });
  // First in line for both markers, as a worker that is about to die.
  const stolen = thief.bzpopmin(`${keys.prefix}:save:marker`, 0);
  await vi.waitFor(async () => expect(await blockedClients(sandbox.client)).toBe(1), within);
  await bench.startWorker();
  // The thief and the three queues of the worker.
  await vi.waitFor(async () => expect(await blockedClients(sandbox.client)).toBe(4), within);
  const [record] = await enqueue(1);
  await stolen;
  thief.disconnect();
  expect((await bench.catalog.find(record?.id ?? ''))?.status).not.toBe('verified');
  await cut('background');
  await untilVerified(record === undefined ? [] : [record]);
});

it('recovers by itself when Redis was killed and is back', async () => {
  await bench.startWorker();
  await untilVerified(await enqueue(2));
  await bench.sandbox.kill();
  await bench.sandbox.restart();
  await untilRedisIsBack();
  await expect(untilVerified(await enqueue(2))).resolves.toBeUndefined();
});

it('asks for one sync when Redis was restarted, and for none when only the connections were lost', async () => {
  const { sandbox, queues } = bench;
  const startups = async (): Promise<unknown[]> => {
    const kept = await queues.queues.sync.getJobs(['waiting', 'active', 'delayed', 'completed', 'failed']);
    return kept.map(({ data }) => data as SyncPayload).filter(({ trigger }) => trigger === 'startup');
  };
  // For so long what both of them ask for is one: they may notice the restart at different times.
  const env = { AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS: '60' };
  await bench.startWorker(env);
  await bench.startWorker(env);
  await untilVerified(await enqueue(2));
  await cut('background');
  await untilVerified(await enqueue(2));
  expect(await startups()).toEqual([]);
  await sandbox.kill();
  await sandbox.restart();
  await untilRedisIsBack();
  await vi.waitFor(
    async () => {
      // The watch looks when its connection is back.
      await cut('background');
      expect(await startups()).toMatchObject([{ mode: 'incremental' }]);
    },
    { interval: 250 },
  );
});

it('waits for a Redis that is not there when it starts', async () => {
  await bench.sandbox.kill();
  await bench.startWorker();
  await bench.sandbox.restart();
  await untilRedisIsBack();
  await expect(untilVerified(await enqueue(2))).resolves.toBeUndefined();
});

it('continues without using up attempts when Redis hung for longer than any command may take', async () => {
  const records = await enqueue(300);
  await bench.startWorker();
  await vi.waitFor(async () => expect((await bench.catalog.counts()).byStatus.verified).toBeGreaterThan(0), {
    ...within,
    interval: 2,
  });
  expect((await bench.catalog.counts()).byStatus.verified).toBeLessThan(300);
  bench.sandbox.pause();
  const timedOut = bench.catalog.counts();
  await expect(timedOut).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' });
  bench.sandbox.resume();
  await untilVerified(records);
  const found = await bench.catalog.findStored(records.map(({ id }) => id));
  expect(found.map((one) => one?.record.persistence.attempts)).toEqual(records.map(() => 1));
});

it('starts and stops without leaving a connection behind', async () => {
  const { sandbox } = bench;
  const before = await connectedClients(sandbox.client);
  for (let round = 0; round < 5; round += 1) {
    const worker = await bench.startWorker();
    if (round % 2 === 0) await untilVerified(await enqueue(1));
    await worker.stop(AbortSignal.timeout(5_000));
    await worker.stop(AbortSignal.timeout(5_000));
  }
  await vi.waitFor(async () => expect(await connectedClients(sandbox.client)).toBe(before), within);
  expect(await sandbox.client.zcard(bench.keys.workers)).toBe(0);
});

it('stops in time though Redis is gone', async () => {
  const worker = await bench.startWorker();
  await untilVerified(await enqueue(1));
  await bench.sandbox.kill();
  await vi.waitFor(
    () =>
      expect(bench.queues.queues.save.getWaitingCount()).rejects.toThrow(
        /Stream isn't writeable|Connection is closed|timed out/,
      ),
    within,
  );
  const startedAt = performance.now();
  await worker.stop(AbortSignal.timeout(10_000));
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  await bench.sandbox.restart();
});

it('stops in time although Redis hangs, with jobs under way', async () => {
  await enqueue(300);
  const worker = await bench.startWorker();
  await vi.waitFor(async () => expect((await bench.catalog.counts()).byStatus.verified).toBeGreaterThan(0), {
    ...within,
    interval: 2,
  });
  bench.sandbox.pause();
  const startedAt = performance.now();
  await worker.stop(AbortSignal.timeout(16_000));
  expect(performance.now() - startedAt).toBeLessThan(14_000);
  bench.sandbox.resume();
});

async function infoNumber(client: Redis, section: string, name: string): Promise<number> {
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await client.info(section))?.[1] ?? 'NaN');
}
const commandsProcessed = (client: Redis) => infoNumber(client, 'stats', 'total_commands_processed');
const blockedClients = (client: Redis) => infoNumber(client, 'clients', 'blocked_clients');
const connectedClients = (client: Redis) => infoNumber(client, 'clients', 'connected_clients');
async function refusals(client: Redis): Promise<number> {
  return Number(/errorstat_OOM:count=(\d+)/.exec(await client.info('errorstats'))?.[1] ?? '0');
}
