import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeHostMetadata } from '@holdfast/shared/media';
import { aRecord, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openRefreshRig, type RefreshRig } from '../../test/support/refresh-rig.js';
import { lasting } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const looks = async (rig: RefreshRig) => (await rig.cloud.requests.counters()).byEndpoint['explicit'] ?? 0;

it('a video of others keeps its duration through syncs and notifications in turn', async () => {
  const rig = await openRefreshRig(sandbox);
  const { assetId } = await rig.cloud.assets.put({ publicId: 'v', resourceType: 'video', duration: 12.5 });
  expect(await rig.sync()).toMatchObject({ created: 1 });
  const [video] = await rig.records();
  expect(video).toMatchObject({ assetId, durationSeconds: 12.5 });
  const asset = await rig.host.find({ publicId: 'v', resourceType: 'video' });
  if (asset === null || video === undefined) throw new Error('there is no video');
  await rig.cloud.requests.reset();
  expect(await rig.sync()).toMatchObject({ unchanged: 1, updated: 0 });
  expect(await rig.sync({ mode: 'incremental' })).toMatchObject({ unchanged: 1, updated: 0 });
  expect(await looks(rig)).toBe(0);
  await rig.refresh('changed', asset);
  expect(await rig.sync()).toMatchObject({ unchanged: 1, updated: 0 });
  expect(await rig.records()).toEqual([video]);
  // Other bytes: what was known of the old ones says nothing.
  await rig.cloud.assets.put({ publicId: 'v', resourceType: 'video', duration: 3 });
  expect(await rig.sync()).toMatchObject({ updated: 1 });
  expect((await rig.records())[0]).toMatchObject({ durationSeconds: 3 });
});

it('an own video brings its duration back to an emptied catalog, from its mark', async () => {
  const rig = await openRefreshRig(sandbox);
  const record = aRecord({ resourceType: 'video', format: 'mp4', durationSeconds: 63.893313 });
  const { context } = writeHostMetadata({ mark: { state: 'committed' }, fields: record });
  await rig.cloud.assets.put({
    publicId: record.publicId,
    resourceType: 'video',
    context,
    etag: record.checksum.md5 ?? '',
  });
  await rig.cloud.requests.reset();
  await rig.sync();
  expect(await rig.catalog.find(record.id)).toMatchObject({ durationSeconds: 63.893313 });
  expect(await looks(rig)).toBe(0);
});

it('asks for a bounded number of durations a page, and for the rest in the next runs', async () => {
  const rig = await openRefreshRig(sandbox);
  // One page of our list shows them all.
  await rig.cloud.assets.seed(90, { resourceType: 'video', duration: 7 });
  const known = async () =>
    (await rig.catalog.list({ limit: 100, order: 'oldest' })).items.filter((one) => one.durationSeconds === 7)
      .length;
  expect(await rig.sync()).toMatchObject({ created: 90 });
  expect(await looks(rig)).toBe(50);
  expect(await known()).toBe(50);
  expect(await rig.sync()).toMatchObject({ updated: 40, unchanged: 50 });
  expect(await known()).toBe(90);
  expect(await looks(rig)).toBe(90);
  expect(await rig.sync()).toMatchObject({ unchanged: 90 });
});

it('adopts a new video although the host does not say how long it is', async () => {
  const rig = await openRefreshRig(sandbox);
  await rig.cloud.assets.put({ publicId: 'v', resourceType: 'video', duration: 12.5 });
  await rig.cloud.faults.add({ kind: 'error', match: { endpoint: 'explicit' } });
  expect(await rig.sync()).toMatchObject({ created: 1, errors: 0 });
  expect((await rig.records())[0]).toMatchObject({ durationSeconds: null, status: 'verified' });
  expect(await rig.sync()).toMatchObject({ updated: 1 });
  expect((await rig.records())[0]).toMatchObject({ durationSeconds: 12.5 });
});

it('learns the length of a video behind many whose length the host never gives', async () => {
  const rig = await openRefreshRig(sandbox);
  const unknown = Array.from({ length: 60 }, (_, n) => `a-${String(n)}`);
  for (const publicId of unknown) await rig.cloud.assets.put({ publicId, resourceType: 'video' });
  await rig.cloud.assets.put({ publicId: 'b', resourceType: 'video', duration: 12.5 });
  const isKnown = async () => (await rig.records()).some(({ durationSeconds }) => durationSeconds === 12.5);
  for (let runs = 0; runs < 20 && !(await isKnown()); runs += 1) await rig.sync();
  expect(await isKnown()).toBe(true);
});

it('tags in another order are no change', async () => {
  const rig = await openRefreshRig(sandbox, { emulator: { tagOrder: 'sent' } });
  const own = await rig.upload({ tags: ['sea', 'hill'] });
  const foreign = await rig.foreign('others/a', {}, ['sea', 'hill']);
  await rig.sync();
  const before = await rig.records();
  await rig.cloud.configure({ tagOrder: 'sorted' });
  for (const mode of ['full', 'incremental'] as const)
    expect(await rig.sync({ mode })).toMatchObject({ unchanged: 2, updated: 0 });
  await rig.refresh('changed', own, foreign);
  expect(await rig.records()).toEqual(before);
  expect((await rig.find(own))?.tags).toEqual(['sea', 'hill']);
});

it('asks the asset itself before what a listing does not show is taken for none', async () => {
  const rig = await openRefreshRig(sandbox);
  const own = await rig.upload({ title: 'Ours', tags: ['sea'] });
  const foreign = await rig.foreign('others/a', { caption: 'Theirs' }, ['hill']);
  await rig.sync();
  const before = (await rig.records()).map(lasting);
  // A service that keeps the context and the tags of its assets from listings.
  await rig.cloud.configure({
    unlistedFields: ['context', 'tags', 'duration', 'placeholder'],
  });
  expect(await rig.sync()).toMatchObject({ updated: 0, unchanged: 2 });
  expect((await rig.records()).map(lasting)).toEqual(before);
  await sandbox.client.flushall();
  await rig.sync();
  expect((await rig.find(own))?.title).toBe('Ours');
  expect((await rig.records()).map(({ id }) => id).toSorted()).toEqual(
    [rig.recordOf(own).id, rig.recordOf(foreign).id].toSorted(),
  );
});
