import { afterEach, expect, it, vi } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { removeJob } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/foundation/logging';
import { createMediaHost } from '@holdfast/shared/media-host';
import { createSyncState } from '@holdfast/shared/sync';
import { openBench, type Bench } from './support/start-worker.js';

let bench: Bench;
let emulator: CloudinaryEmulator;
afterEach(async () => {
  await bench.close();
  await emulator.close();
});

const within = { interval: 50 };

/** As uploads through Holdfast leave them on the host. */
const template = {
  publicId: 'holdfast/{ulid}',
  bytes: 100,
  context: {
    hf: '1',
    hf_id: '{ulid}',
    hf_rev: '1',
    hf_src: 'upload',
    hf_created: '{createdMs}',
    hf_updated: '{createdMs}',
    hf_sha256: '{sha256}',
    hf_md5: '{md5}',
  },
};

it('brings everything back when Redis is emptied under running workers, and a deleted media stays deleted', async () => {
  emulator = await startCloudinaryEmulator();
  bench = await openBench({ CLOUDINARY_URL: emulator.cloudinaryUrl });
  const { catalog, queues, sandbox, keys, settings } = bench;
  const { client } = sandbox;
  await emulator.assets.seed(50, template);
  const state = createSyncState(client, keys);
  await client.del(keys.epoch, keys.syncState);
  await bench.startWorker();
  await bench.startWorker();
  await vi.waitFor(async () => expect((await state.read()).snapshot?.records).toBe(50), within);

  // The host refuses the removal for now, so that only the tombstone keeps the media from coming back.
  await emulator.faults.add({ kind: 'html', status: 503, count: null, match: { endpoint: 'destroy' } });
  const { items } = await catalog.list({ limit: 50, order: 'newest' });
  const deleted = items[0];
  if (deleted === undefined) throw new Error('no record');
  await catalog.beginDelete(deleted.id);
  const { id, publicId, resourceType } = deleted;
  await queues.add(removeJob, { id, publicId, resourceType, round: 0 });
  await queues.queues.sync.add('sync', { trigger: 'manual', mode: 'full', runId: 'with-deletion' });
  await vi.waitFor(async () => expect((await state.findRun('with-deletion'))?.result).toBe('ok'), within);
  await vi.waitFor(async () => {
    const { snapshot, lastFullRun } = await state.read();
    expect((snapshot?.at ?? '') > (lastFullRun?.startedAt ?? '')).toBe(true);
  }, within);

  await client.flushall();
  // Connections that come back look at once; else the watch does within 20 s.
  await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await vi.waitFor(async () => {
    expect(await catalog.counts()).toMatchObject({ total: 50, byStatus: { verified: 49, deleting: 1 } });
    expect((await state.read()).lastFullRun?.trigger).toBe('recovery');
  }, within);
  const run = (await state.read()).lastFullRun;
  expect(run?.findings.map(({ code }) => code)).toContain('SNAPSHOT_RESTORED');
  const there = await catalog.findStored(items.slice(1).map((item) => item.id));
  expect(there.map((entry) => entry?.record.assetId)).toEqual(items.slice(1).map((item) => item.assetId));
  expect((await catalog.find(id))?.status).toBe('deleting');

  await emulator.faults.clear();
  await queues.add(removeJob, { id, publicId, resourceType, round: 99 });
  await vi.waitFor(async () => expect(await catalog.find(id)).toBeNull(), within);
  const host = await createMediaHost(settings.host, { log: silentLogger });
  expect(await host.find({ publicId, resourceType })).toBeNull();
  await host.close();
});

it('registers again where a sync began the emptied catalog before the next check', async () => {
  emulator = await startCloudinaryEmulator();
  bench = await openBench({ CLOUDINARY_URL: emulator.cloudinaryUrl });
  const { sandbox, keys } = bench;
  const { client } = sandbox;
  await bench.startWorker();
  await vi.waitFor(async () => expect(await client.zcard(keys.workers)).toBe(1), within);
  // Its first look has ended.
  await vi.waitFor(async () => expect(await client.exists(keys.queue('sync', 'repeat'))).toBe(1), within);
  await client
    .multi()
    .flushall()
    .set(keys.epoch, Date.now())
    .hset(keys.syncState, 'lastFullAt', new Date().toISOString())
    .exec();
  await vi.waitFor(async () => expect(await client.zcard(keys.workers)).toBe(1), { interval: 100 });
});
