import { createCatalogHost } from '@holdfast/shared/catalog-host';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { silentLogger } from '@holdfast/foundation/logging';
import { newMediaId, publicIdFor, writeHostMetadata } from '@holdfast/shared/media';
import { aRecord, onePixelPng } from '@holdfast/shared/testing';
import { sweep } from '../src/watch/sweeps.js';
import { openBench, type Bench } from './support/start-worker.js';

/** Half of what a kill cuts off at most (UPLOAD_MAX_CONCURRENT), since host and sweep share this machine with other tests. */
const UPLOADS = 64;
/** A call of a host far away. */
const CALL_MS = 300;
/** Of a minute, after the 30 s until an intent is stale and the 5 s until the watch looks. */
const WITHIN_MS = 25_000;

let emulator: CloudinaryEmulator;
let bench: Bench;
beforeEach(async () => {
  emulator = await startCloudinaryEmulator();
  bench = await openBench({ CLOUDINARY_URL: emulator.cloudinaryUrl });
});
afterEach(async () => {
  await bench.close();
  await emulator.close();
});

/** The asset of an upload that was cut off before its commit mark. */
async function cutOff(): Promise<{ id: string; publicId: string; resourceType: 'image' }> {
  const id = newMediaId();
  const ref = { publicId: publicIdFor('holdfast', id), resourceType: 'image' } as const;
  const metadata = writeHostMetadata({
    mark: { state: 'started', deadlineSeconds: 60 },
    fields: aRecord({ id }),
  });
  await bench.host.put({ ref, metadata, body: onePixelPng, signal: AbortSignal.timeout(30_000) });
  return { id, ...ref };
}

async function cutOffByAKill(): Promise<string> {
  const { id, publicId } = await cutOff();
  await bench.intents.open(id, publicId, 1_000);
  await bench.sandbox.client.zadd(bench.keys.intents, Date.now() - 31_000, id);
  return id;
}

const times = <Result>(count: number, work: () => Promise<Result>) =>
  Promise.all(Array.from({ length: count }, work));
const intentsLeft = () => bench.sandbox.client.zcard(bench.keys.intents);

/** As the watch does it. */
function sweepAll(): Promise<void> {
  const redis = bench.sandbox.client;
  const deps = {
    ...bench,
    redis,
    catalogHost: createCatalogHost(redis, bench.keys),
    folder: 'holdfast',
    log: silentLogger,
  };
  return sweep(deps, new AbortController().signal);
}

it(`undoes ${String(UPLOADS)} uploads that a kill cut off, from a host that takes 0.3 s for each answer`, async () => {
  await times(UPLOADS, cutOffByAKill);
  await emulator.configure({ responseDelayMs: CALL_MS });
  await emulator.requests.reset();
  const startedAt = performance.now();
  await sweepAll();
  expect(performance.now() - startedAt).toBeLessThan(WITHIN_MS);
  // Each new one costs two or three more round trips.
  expect((await emulator.requests.counters()).connections).toBeLessThan(100);
  expect(await intentsLeft()).toBe(0);
  expect(await emulator.assets.count()).toBe(0);
});

it('does not wait for refused uploads, as many as a sweep takes', async () => {
  await times(200, async () => {
    const { id, publicId } = await cutOff();
    await bench.intents.refuse(id, { removal: { publicId, inMs: 0 }, acceptance: null });
  });
  const cut = await times(8, cutOffByAKill);
  await emulator.configure({ responseDelayMs: CALL_MS });
  const startedAt = performance.now();
  await sweepAll();
  expect([...(await bench.intents.findStates(cut))]).toEqual([]);
  while ((await intentsLeft()) > 0) {
    await bench.sandbox.client.del(bench.keys.sweepLease);
    await sweepAll();
  }
  expect(performance.now() - startedAt).toBeLessThan(WITHIN_MS);
});
