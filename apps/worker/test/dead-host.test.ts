import { expect, it, onTestFinished, vi } from 'vitest';
import { startCloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { removeJob, syncJob } from '@holdfast/shared/jobs';
import { newMediaId, publicIdFor, type MediaRecord } from '@holdfast/shared/media';
import { createSyncState } from '@holdfast/shared/sync';
import { aRecord, onePixelPng, startFaultProxy } from '@holdfast/shared/testing';
import { metadataOf } from './support/metadata-of.js';
import { openBench } from './support/start-worker.js';

const DELETED = 4;

it('loses no attempt of any job to a host that is down, and does all of them once it is back', async () => {
  const emulator = await startCloudinaryEmulator();
  onTestFinished(() => emulator.close());
  const link = await startFaultProxy(Number(new URL(emulator.url).port));
  onTestFinished(() => link.close());
  const address = new URL(emulator.cloudinaryUrl);
  address.searchParams.set('upload_prefix', `http://127.0.0.1:${String(link.port)}`);
  const bench = await openBench({ CLOUDINARY_URL: address.href, SAVE_BACKOFF_MS: '300' });
  onTestFinished(() => bench.close());
  const deleted = await Promise.all(Array.from({ length: DELETED }, () => storedAndDeleted(bench)));

  link.set({ kind: 'refuse' });
  for (const { id, publicId, resourceType } of deleted)
    await bench.queues.add(removeJob, { id, publicId, resourceType, round: 0 });
  await bench.startWorker();
  const waiting = async () => {
    const jobs = await bench.queues.queues.save.getJobs(['delayed', 'active', 'wait', 'failed']);
    return jobs.map(({ attemptsMade, attemptsStarted }) => ({ attemptsMade, attemptsStarted }));
  };
  // Handed back: started more often than attempted.
  await vi.waitFor(async () => {
    const jobs = await waiting();
    expect(jobs).toHaveLength(DELETED);
    expect(jobs.every(({ attemptsMade, attemptsStarted }) => attemptsStarted > attemptsMade)).toBe(true);
  });
  await bench.queues.add(syncJob, { trigger: 'manual', mode: 'full', dryRun: false, force: false });
  const state = createSyncState(bench.sandbox.client, bench.keys);
  await vi.waitFor(async () =>
    expect((await state.read()).running?.run).toMatchObject({ waitingUntil: expect.any(String) }),
  );
  expect(await bench.queues.queues.save.getFailedCount()).toBe(0);

  link.set({ kind: 'pass' });
  // Snapshots of the catalog have another delivery type than media.
  const media = async () => (await emulator.assets.list()).filter(({ type }) => type === 'upload');
  await vi.waitFor(async () => expect(await media()).toEqual([]));
  await vi.waitFor(async () => expect((await state.read()).lastRun).toMatchObject({ result: 'ok' }));
  await vi.waitFor(async () => expect(await waiting()).toEqual([]));
});

/** A media item on the host with a tombstone in the catalog, as a delete leaves it when the host did not accept it. */
async function storedAndDeleted(bench: Awaited<ReturnType<typeof openBench>>): Promise<MediaRecord> {
  const id = newMediaId();
  const record = aRecord({ id, publicId: publicIdFor('holdfast', id) });
  const { asset } = await bench.host.put({
    ref: { publicId: record.publicId, resourceType: record.resourceType },
    metadata: metadataOf(record),
    body: onePixelPng,
    signal: AbortSignal.timeout(5_000),
  });
  const stored = { ...record, assetId: asset.assetId };
  await bench.catalog.save(stored);
  await bench.catalog.beginDelete(id);
  return stored;
}
