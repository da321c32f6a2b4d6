import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createCatalog } from '@holdfast/shared/catalog';
import { readSettings } from '@holdfast/foundation/config';
import { createIntents } from '@holdfast/shared/intents';
import { connectMediaQueues } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/foundation/logging';
import { redisKeys } from '@holdfast/shared/redis';
import { aRecord, startManagedRedis } from '@holdfast/shared/testing';
import { createWorkerProcess } from '../src/worker-process.js';

/** Less than the profile allows for. */
const LAG_MS = 1_500;

/** A worker whose reads come from a replica that is behind; the test itself talks to the primary. */
async function openLaggingBench() {
  const managed = await startManagedRedis({ readsLagMs: LAG_MS });
  onTestFinished(() => managed.close());
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-lagging-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const { client, settings: redis } = managed.server;
  const keys = redisKeys(redis.prefix);
  const settings = readSettings({
    REDIS_URL: managed.url,
    REDIS_PROFILE: 'upstash',
    DATA_DIR: directory,
    AUTO_SYNC_ON_STARTUP: 'false',
    SAVE_BACKOFF_MS: '20',
    LOG_LEVEL: 'silent',
  });
  const queues = connectMediaQueues(redis, settings.jobs, silentLogger);
  onTestFinished(() => queues.close());
  await vi.waitFor(() => queues.queues.save.getWaitingCount(), { interval: 10 });
  return {
    client,
    keys,
    queues,
    catalog: createCatalog(client, keys),
    intents: createIntents(client, keys),
    /** As a catalog that has begun, and was filled. */
    begin: async () => {
      await client.set(keys.epoch, Date.now());
      await client.hset(keys.syncState, 'lastFullAt', new Date(0).toISOString());
    },
    startWorker: async () => {
      const worker = await createWorkerProcess(settings, silentLogger);
      onTestFinished(() => worker.stop(AbortSignal.timeout(5_000)));
      await worker.start();
    },
    /** The worker has seen to whatever its first look showed. */
    looked: () => vi.waitFor(async () => expect(await client.exists(keys.queue('sync', 'repeat'))).toBe(1)),
    recoveries: async () =>
      (await queues.queues.sync.getJobs()).filter(({ data }) => data.trigger === 'recovery').length,
  };
}

it('verifies at the first attempt what a replica does not have yet', async () => {
  const bench = await openLaggingBench();
  await bench.begin();
  await bench.startWorker();
  await bench.looked();
  const record = aRecord();
  await bench.intents.open(record.id, record.publicId, 1_000);
  await bench.intents.accept({ record, jobs: bench.queues.jobsOf(record) });
  await vi.waitFor(async () =>
    expect(await bench.catalog.find(record.id)).toMatchObject({ status: 'verified' }),
  );
  expect(await bench.catalog.find(record.id)).toMatchObject({
    persistence: { attempts: 1 },
    lastError: null,
  });
});

it('asks for no recovery of a catalog whose beginning a replica does not have yet', async () => {
  const bench = await openLaggingBench();
  await bench.begin();
  await bench.startWorker();
  await bench.looked();
  expect(await bench.recoveries()).toBe(0);
});

it('asks for the recovery of a catalog that is really gone', async () => {
  const bench = await openLaggingBench();
  await bench.startWorker();
  await bench.looked();
  expect(await bench.recoveries()).toBe(1);
  expect(await bench.client.exists(bench.keys.epoch)).toBe(1);
});
