import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

describe.each(['local', 'cloudinary'] as const)('copies made by others (%s)', (kind) => {
  it('takes a copy under another name for a file of its own', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ title: 'Original' });
    const copy = await rig.foreign('others/copy', { ...asset.context }, [...asset.tags]);
    expect(await rig.sync()).toMatchObject({ created: 2 });
    expect(await rig.sync()).toMatchObject({ unchanged: 2 });
    const ids = (await rig.records()).map((record) => record.id).toSorted();
    expect(ids).toEqual([rig.recordOf(asset).id, `cld-${copy.assetId}`].toSorted());
  });

  it('takes a copy beside its original for another file, whatever it is called', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ title: 'Original' });
    await rig.sync();
    const copy = await rig.foreign(`${asset.publicId}.bak`, { ...asset.context }, [...asset.tags]);
    expect(await rig.sync()).toMatchObject({ created: 1, updated: 0 });
    expect(await rig.sync()).toMatchObject({ unchanged: 2 });
    expect(await rig.find(asset)).toMatchObject({ assetId: asset.assetId, publicId: asset.publicId });
    expect(await rig.catalog.find(`cld-${copy.assetId}`)).not.toBeNull();
  });

  it('leaves a copy that must have the id of its original as long as that one is there', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ resourceType: 'raw' });
    await rig.sync();
    const { asset: copy } = await rig.host.put({
      ref: { publicId: `${asset.publicId}.bak`, resourceType: 'raw' },
      metadata: asset,
      body: Buffer.from('other bytes'),
      signal: AbortSignal.timeout(5_000),
    });
    for (let runs = 0; runs < 2; runs += 1)
      expect(await rig.sync()).toMatchObject({ created: 0, updated: 0, missing: 0 });
    expect((await rig.find(asset))?.assetId).toBe(asset.assetId);
    await rig.host.remove(asset);
    expect(await rig.sync()).toMatchObject({ missing: 1 });
    await rig.sync();
    expect((await rig.find(asset))?.assetId).toBe(copy.assetId);
  });
});

it.each([
  ['of others', (rig: SyncRig) => rig.foreign('cats/tom')],
  ['of ours', (rig: SyncRig) => rig.upload()],
])('takes an asset %s for gone although another one has its name', async (_whose, put) => {
  const rig = await openSyncRig(sandbox, 'cloudinary');
  const first = await put(rig);
  await rig.sync();
  await rig.host.remove(first);
  const second = await rig.foreign(first.publicId);
  expect(second.assetId).not.toBe(first.assetId);
  expect(await rig.sync()).toMatchObject({ created: 1, missing: 1 });
  expect((await rig.find(first))?.status).toBe('missing');
  expect((await rig.find(second))?.status).toBe('verified');
  expect(await rig.sync()).toMatchObject({ unchanged: 1, updated: 0, restored: 0 });
});
