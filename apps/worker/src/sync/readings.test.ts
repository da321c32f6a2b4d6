import { afterAll, beforeAll, expect, it } from 'vitest';
import { readings } from '@holdfast/cloudinary-emulator';
import type { Measured, MediaRecord } from '@holdfast/shared/media';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openRefreshRig, type RefreshRig } from '../../test/support/refresh-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

/** Without what is measured again. Tags are a set. */
async function kept(rig: RefreshRig): Promise<Omit<MediaRecord, keyof Measured>[]> {
  const records = await rig.records();
  return records
    .map(({ status: _s, persistence: _p, lastError: _l, tags, ...rest }) => ({
      ...rest,
      tags: tags.toSorted(),
    }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

it.each(Object.keys(readings))('follows a host that works %s', async (name) => {
  const rig = await openRefreshRig(sandbox, { emulator: readings[name] ?? {} });
  const own = await rig.upload({ title: 'a=b|c', tags: ['sea', 'hill'] });
  const foreign = await rig.foreign('others/a', { caption: 'Theirs', alt: 'By others' }, ['b', 'a']);
  const lost = await rig.upload();
  await rig.cloud.assets.put({ publicId: 'others/v', resourceType: 'video', duration: 12.5 });
  const first = await rig.sync();
  expect(first).toMatchObject({ result: 'ok', created: 4, errors: 0 });
  // What a listing does not show is said, and nothing else is found.
  const hidden = first.findings.filter(({ code }) => code === 'LISTING_FIELDS_MISSING');
  expect(hidden.flatMap(({ ids }) => ids)).toEqual(/fields/.test(name) ? ['uploaded_at', 'etag'] : []);
  expect(first.findings).toEqual(hidden);
  expect((await rig.records()).find(({ publicId }) => publicId === 'others/v')?.durationSeconds).toBe(12.5);

  // Search tells hashes of bytes that the listing keeps to itself.
  expect(await rig.sync({ mode: 'incremental' })).toMatchObject({ updated: hidden.length * 2 });
  const records = await rig.records();
  for (const mode of ['full', 'incremental'] as const)
    expect(await rig.sync({ mode })).toMatchObject({ result: 'ok', updated: 0, unchanged: 4, errors: 0 });
  await rig.refresh('changed', own, foreign);
  expect(await rig.records()).toEqual(records);

  await rig.cloud.assets.edit(own.assetId, { context: { ...own.context, title: 'Edited' } });
  await rig.cloud.assets.edit(foreign.assetId, { context: { caption: 'Edited, too' }, tags: [] });
  await rig.sync({ mode: 'incremental' });
  expect(await rig.find(own)).toMatchObject({ title: 'Edited', revision: 2 });
  expect(await rig.find(foreign)).toMatchObject({ title: 'Edited, too', description: '', tags: [] });

  await rig.cloud.assets.remove(lost.assetId);
  expect(await rig.sync()).toMatchObject({ result: 'ok', missing: 1, errors: 0 });
  await rig.host.remove(lost);

  // An emptied Redis: the same once more, from the host alone. The edit had no worker that pushed it.
  await rig.cloud.assets.edit(own.assetId, { context: own.context });
  await sandbox.client.flushall();
  expect(await rig.sync({ trigger: 'recovery' })).toMatchObject({ result: 'ok', created: 3, errors: 0 });
  const before = await kept(rig);
  expect(before.map(({ title }) => title).toSorted()).toEqual(['', 'Edited, too', 'a=b|c']);
  await sandbox.client.flushall();
  await rig.sync({ trigger: 'recovery' });
  expect(await kept(rig)).toEqual(before);
});
