import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { setup } from '../testing/setup.js';

test('makes distinct assets with consistent, repeatable content', async () => {
  const template = {
    resourceType: 'raw' as const,
    publicId: 'h/{ulid}.bin',
    createdAt: 1_700_000_000,
    tags: ['t{n:3}'],
    context: { md5: '{md5}', sha: '{sha256}', id: '{assetId}', at: '{createdAt}', other: '{"json":{n}}' },
  };
  const { emulator, sdk } = await setup();
  const { emulator: again } = await setup();
  await emulator.assets.seed(300, template);
  await again.assets.seed(300, template);
  const assets = await emulator.assets.list();
  expect(assets).toEqual(await again.assets.list());
  expect(new Set(assets.map((asset) => asset.assetId)).size).toBe(300);
  expect(new Set(assets.map((asset) => asset.publicId)).size).toBe(300);
  expect(assets.map((asset) => asset.publicId)).toEqual(assets.map((asset) => asset.publicId).toSorted());

  const asset = assets[7];
  if (asset === undefined) throw new Error('no asset');
  const content = (await emulator.assets.bytes(asset.assetId)) ?? Buffer.alloc(0);
  expect(content).toHaveLength(asset.bytes);
  expect(asset.etag).toBe(createHash('md5').update(content).digest('hex'));
  expect(asset).toMatchObject({
    tags: ['t007'],
    createdAt: 1_700_000_000,
    context: {
      md5: asset.etag,
      sha: createHash('sha256').update(content).digest('hex'),
      id: asset.assetId,
      at: '2023-11-14T22:13:20.700Z',
      other: '{"json":7}',
    },
  });
  const { resources } = await sdk.list({ resource_type: 'raw', max_results: 500 });
  expect(resources).toHaveLength(300);
});

test('synthetic assets can be edited and deleted like all others', async () => {
  const { emulator, sdk } = await setup();
  await emulator.assets.seed(3, { publicId: 's{n}', tags: ['t'] });
  await sdk.uploader.add_tag('new', ['s1'], sdk.account());
  await sdk.uploader.destroy('s2', sdk.account());
  expect((await emulator.assets.list()).map(({ publicId, tags }) => [publicId, tags])).toEqual([
    ['s0', ['t']],
    ['s1', ['t', 'new']],
  ]);
});

test('refuses a template that makes the same id twice', async () => {
  const { emulator } = await setup();
  await expect(emulator.assets.seed(2, { publicId: 'same' })).rejects.toThrow(/must hold/);
  await emulator.assets.seed(2);
  await expect(emulator.assets.seed(2)).rejects.toThrow(/There is an asset/);
});
