import { expect, it, onTestFinished, vi } from 'vitest';
import { startCloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { syncJob } from '@holdfast/shared/jobs';
import { connectRedis, closeRedis } from '@holdfast/shared/redis';
import { silentLogger } from '@holdfast/foundation/logging';
import { createSyncState } from '@holdfast/shared/sync';
import { openBench } from './support/start-worker.js';
import { spawnWorker } from './support/worker-child.js';

const ASSETS = 3_000;
const PAGES_OF_IMAGES = 6;
/** Images end after six pages; videos and raw files take one empty page each. */
const PAGES = PAGES_OF_IMAGES + 2;

/** A slow host with several pages, and a full sync that waits for a worker. */
async function openLongSync() {
  const emulator = await startCloudinaryEmulator({ listDelayMs: 150 });
  onTestFinished(() => emulator.close());
  await emulator.assets.seed(ASSETS);
  const bench = await openBench({
    CLOUDINARY_URL: emulator.cloudinaryUrl,
    AUTO_SYNC_INTERVAL_MINUTES: '0',
    SAVE_ATTEMPTS: '1',
  });
  onTestFinished(() => bench.close());
  const redis = connectRedis(bench.settings.redis.connection, 'background', silentLogger);
  onTestFinished(() => closeRedis(redis));
  const state = createSyncState(redis, bench.keys);
  await bench.queues.add(syncJob, {
    trigger: 'manual',
    mode: 'full',
    runId: 'long',
    dryRun: false,
    force: false,
  });
  const reach = (listed: number): Promise<void> =>
    vi.waitFor(
      async () => expect((await state.findRun('long'))?.listed ?? 0).toBeGreaterThanOrEqual(listed),
      { interval: 10 },
    );
  const end = async () => {
    await vi.waitFor(async () => expect((await state.findRun('long'))?.finishedAt ?? null).not.toBeNull(), {
      interval: 50,
    });
    return state.findRun('long');
  };
  const pages = async (): Promise<number> =>
    (await emulator.requests.recent()).filter((request) => request.endpoint === 'list').length;
  return { bench, reach, end, pages };
}

const whole = { result: 'ok', listed: ASSETS, created: ASSETS, missing: 0, errors: 0 };

it('S2: finishes a full sync that kill -9 stopped, in another process, without listing again what was done', async () => {
  const { bench, reach, end, pages } = await openLongSync();
  const first = spawnWorker(bench.env);
  await reach(1_000);
  first.process.kill('SIGKILL');
  await first.ended;
  spawnWorker(bench.env);
  expect(await end()).toMatchObject(whole);
  expect((await bench.catalog.counts()).byStatus).toMatchObject({ verified: ASSETS, saving: 0 });
  // At most the current page and the one that was fetched ahead are asked for twice.
  expect(await pages()).toBeLessThanOrEqual(PAGES + 2);
});

it('hands a full sync over when its process is stopped', async () => {
  const { bench, reach, end } = await openLongSync();
  const first = spawnWorker(bench.env);
  await reach(500);
  first.process.kill('SIGTERM');
  expect(await first.ended).toBe(0);
  spawnWorker(bench.env);
  expect(await end()).toMatchObject(whole);
});
