import { expect, test } from 'vitest';
import { png } from '../testing/png.js';
import { setup } from '../testing/setup.js';

test('deletes by public ids and reports which existed', async () => {
  const { sdk, emulator } = await setup();
  await sdk.upload(png(1, 1), { public_id: 'a' });
  await sdk.upload(png(1, 1), { public_id: 'b' });
  const reply = await sdk.api.delete_resources(['a', 'none'], sdk.account());
  expect(reply).toMatchObject({
    deleted: { a: 'deleted', none: 'not_found' },
    deleted_counts: { a: { original: 1, derived: 0 } },
    partial: false,
  });
  expect((await emulator.assets.list()).map((asset) => asset.publicId)).toEqual(['b']);
});

test('deletes by prefix a thousand at a time, and by tag', async () => {
  const { sdk, emulator } = await setup();
  await emulator.assets.seed(1500, { publicId: 'p/{n}' });
  await emulator.assets.seed(3, { publicId: 'q/{n}', tags: ['old'] });
  expect(await sdk.api.delete_resources_by_prefix('p/', sdk.account())).toMatchObject({ partial: true });
  expect(await sdk.api.delete_resources_by_prefix('p/', sdk.account())).toMatchObject({ partial: false });
  expect(await emulator.assets.count()).toBe(3);
  await sdk.api.delete_resources_by_tag('old', sdk.account());
  expect(await emulator.assets.count()).toBe(0);
});
