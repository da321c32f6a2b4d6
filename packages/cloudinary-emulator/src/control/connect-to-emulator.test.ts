import { expect, test } from 'vitest';
import { png } from '../testing/png.js';
import { failure } from '../testing/sdk-for.js';
import { setup } from '../testing/setup.js';
import { connectToEmulator } from './connect-to-emulator.js';

test('drives an emulator from outside as from inside', async () => {
  const { emulator, sdk } = await setup();
  const remote = await connectToEmulator(emulator.url);
  expect(remote.cloudinaryUrl).toBe(emulator.cloudinaryUrl);

  const put = await remote.assets.put({
    publicId: 'a/b',
    resourceType: 'image',
    content: png(2, 2),
    tags: ['t'],
  });
  expect(await remote.assets.seed(50, { publicId: 's/{n}' })).toBe(50);
  expect(await remote.assets.count()).toBe(51);
  expect(await remote.assets.get('image', 'a/b')).toEqual(put);
  expect(await remote.assets.get('image', 'none')).toBeNull();
  expect(await remote.assets.byAssetId(put.assetId)).toEqual(await emulator.assets.byAssetId(put.assetId));
  expect((await remote.assets.bytes(put.assetId))?.equals(png(2, 2))).toBe(true);
  expect(await remote.assets.bytes('none')).toBeNull();
  expect(await remote.assets.list({ prefix: 's/', limit: 5, offset: 2 })).toEqual(
    await emulator.assets.list({ prefix: 's/', limit: 5, offset: 2 }),
  );
  expect(await remote.assets.edit(put.assetId, { context: { k: 'v' } })).toMatchObject({
    context: { k: 'v' },
  });
  expect(await remote.assets.rename(put.assetId, 'c')).toMatchObject({ publicId: 'c' });
  expect((await remote.assets.corrupt(put.assetId)).etag).not.toBe(put.etag);
  expect(await remote.assets.remove(put.assetId)).toBe(true);
  expect(await remote.assets.remove(put.assetId)).toBe(false);

  const { id } = await remote.faults.add({ kind: 'error', match: { endpoint: 'list' } });
  expect((await failure(sdk.list())).http_code).toBe(500);
  expect(await remote.faults.list()).toMatchObject([{ id, hits: 1 }]);
  await remote.faults.clear();
  expect(await remote.faults.list()).toEqual([]);

  expect(await remote.configure({ searchLagMs: 7 })).toMatchObject({ searchLagMs: 7 });
  expect((await emulator.settings()).searchLagMs).toBe(7);
  expect(await remote.requests.counters()).toMatchObject({
    total: 1,
    byEndpoint: { list: 1 },
    byStatus: { 500: 1 },
  });
  expect(await remote.requests.recent()).toMatchObject([{ endpoint: 'list', status: 500, fault: 'error' }]);
  await remote.requests.reset();
  expect(await remote.requests.counters()).toMatchObject({ total: 0 });
  expect(await remote.webhooks.pending()).toBe(0);
  expect(await remote.webhooks.deliveries()).toEqual([]);
});

test('says what was wrong with a refused operation', async () => {
  const { emulator } = await setup();
  const remote = await connectToEmulator(emulator.url);
  await expect(remote.assets.edit('none', { tags: [] })).rejects.toThrow(/Resource not found - none/);
  await expect(remote.faults.add({ kind: 'nonsense' } as never)).rejects.toThrow(/refused POST faults/);
});
