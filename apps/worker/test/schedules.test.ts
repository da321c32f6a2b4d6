import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { readSettings, type Environment } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import { newMediaId } from '@holdfast/shared/media';
import { snapshotPrefix } from '@holdfast/shared/snapshot';
import { aRecord } from '@holdfast/shared/testing';
import { ensureSchedule, requestStartupSync } from '../src/sync/sync-requests.js';
import { openBench, type Bench } from './support/start-worker.js';

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
});
afterEach(() => bench.close());

const partsOf = (env: Environment = {}) => ({
  queues: bench.queues,
  settings: readSettings(env),
  log: silentLogger,
});
const listed = async (): Promise<(number | undefined)[]> =>
  (await bench.queues.queues.sync.getJobSchedulers()).map(({ every }) => Number(every));
const within = { interval: 20 };
const delayed = () => bench.queues.queues.sync.getJobs(['delayed', 'waiting']);

it('keeps one schedule however many processes ask, and runs nothing at once', async () => {
  const before = Date.now();
  await Promise.all(Array.from({ length: 5 }, () => ensureSchedule(partsOf())));
  expect(await listed()).toEqual([15 * 60_000]);
  const [next, ...others] = await delayed();
  expect(others).toEqual([]);
  expect(next?.data).toEqual({ trigger: 'schedule', dryRun: false, force: false });
  expect((next?.timestamp ?? 0) + (next?.delay ?? 0)).toBeGreaterThanOrEqual(before + 14 * 60_000);
});

it('follows a changed interval, and goes away when it is switched off', async () => {
  await ensureSchedule(partsOf());
  await ensureSchedule(partsOf({ AUTO_SYNC_INTERVAL_MINUTES: '5' }));
  expect(await listed()).toEqual([5 * 60_000]);
  await ensureSchedule(partsOf({ AUTO_SYNC_INTERVAL_MINUTES: '0' }));
  expect(await listed()).toEqual([]);
  expect(await delayed()).toEqual([]);
});

it('asks for one sync after a start of the whole fleet, or none where it is switched off', async () => {
  await requestStartupSync(partsOf({ AUTO_SYNC_ON_STARTUP: 'false' }));
  expect(await delayed()).toEqual([]);
  await Promise.all(Array.from({ length: 5 }, () => requestStartupSync(partsOf())));
  const jobs = await delayed();
  expect(jobs.map(({ data, delay }) => [(data as { trigger: string }).trigger, delay])).toEqual([
    ['startup', 30_000],
  ]);
});

it('is set right by a worker that starts with other settings', async () => {
  const ours = { name: 'sync', data: { trigger: 'schedule', dryRun: false, force: false } };
  await bench.queues.queues.sync.upsertJobScheduler('auto-sync', { every: 60_000 }, ours);
  const worker = await bench.startWorker();
  await vi.waitFor(async () => expect(await listed()).toEqual([15 * 60_000]), within);
  await worker.stop(AbortSignal.timeout(5_000));
  await bench.startWorker({ AUTO_SYNC_INTERVAL_MINUTES: '0' });
  await vi.waitFor(async () => expect(await listed()).toEqual([]), within);
});

it('writes the snapshot of the day also where no sync is scheduled', async () => {
  const { catalog, host, keys, sandbox } = bench;
  await catalog.save(aRecord({ id: newMediaId() }));
  await sandbox.client.hset(keys.syncState, 'lastFullAt', '2026-01-01T00:00:00.000Z');
  await bench.startWorker({ AUTO_SYNC_INTERVAL_MINUTES: '0' });
  const names = async () => (await host.listFiles(snapshotPrefix('holdfast'))).map(({ name }) => name);
  await vi.waitFor(
    async () => expect(await names()).toContainEqual(expect.stringMatching(/manifest$/)),
    within,
  );
});
