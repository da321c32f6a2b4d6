import { afterAll, beforeAll, expect, it } from 'vitest';
import { pushRecord } from '@holdfast/shared/push';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const asOthersWroteIt = {
  path: String.raw`c:\dir\file.png`,
  regex: String.raw`a\|b\=c\\d`,
  folder: 'c:\\',
  list: '["a","b"]',
  credit: 'a|b=c',
};

/** A foreign asset with this context, known to the catalog and edited there; as PATCH leaves it when the host is away. */
async function edited(rig: SyncRig, context: Record<string, string>) {
  const { assetId } = await rig.foreign('cats/tom');
  await rig.emulator?.assets.edit(assetId, { context });
  await rig.sync();
  const [record] = await rig.records();
  if (record === undefined) throw new Error('the asset was not adopted');
  const next = { ...record, title: 'New', revision: 2, updatedAt: new Date().toISOString() };
  expect(await rig.catalog.saveIf(next, record)).toBe('updated');
  return record;
}

const contextOf = async (rig: SyncRig, assetId: string) =>
  (await rig.emulator?.assets.byAssetId(assetId))?.context;

it('keeps every pair of others, byte for byte, when it writes an edit', async () => {
  const rig = await openSyncRig(sandbox, 'cloudinary');
  const { id, assetId } = await edited(rig, asOthersWroteIt);
  expect(await pushRecord(rig, id, AbortSignal.timeout(5_000))).toMatchObject({ outcome: 'pushed' });
  expect(await contextOf(rig, assetId)).toMatchObject({ ...asOthersWroteIt, title: 'New', hf_rev: '2' });
});

it('writes nothing where a pair of others would be lost, and keeps the edit', async () => {
  const rig = await openSyncRig(sandbox, 'cloudinary');
  const others = { ...asOthersWroteIt, 'a=b': 'c' };
  const { id, assetId } = await edited(rig, others);
  await expect(pushRecord(rig, id, AbortSignal.timeout(5_000))).rejects.toMatchObject({
    code: 'HOST_CONTEXT_UNWRITABLE',
  });
  expect(await contextOf(rig, assetId)).toEqual(others);
  expect(await rig.sync()).toMatchObject({ result: 'ok', updated: 0 });
  expect(await rig.catalog.find(id)).toMatchObject({ title: 'New', revision: 2, pushedRevision: 1 });
  expect(await contextOf(rig, assetId)).toEqual(others);
});
