import { expect, test } from 'vitest';
import { png } from '../testing/png.js';
import { failure, type ListedAsset, type Sdk } from '../testing/sdk-for.js';
import { setup } from '../testing/setup.js';

const ids = (page: { resources: ListedAsset[] }) => page.resources.map((asset) => asset.public_id);

async function walk(
  sdk: Sdk,
  options: object,
  betweenPages: () => Promise<unknown> = () => Promise.resolve(),
) {
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await sdk.list({ ...options, ...(cursor === undefined ? {} : { next_cursor: cursor }) });
    seen.push(...ids(page));
    cursor = page.next_cursor;
    if (cursor !== undefined) await betweenPages();
  } while (cursor !== undefined);
  return seen;
}

test('lists ten at a time, newest first, and continues by cursor until all were shown once', async () => {
  const { sdk, emulator } = await setup();
  await emulator.assets.seed(25, { publicId: 's{n:2}' });
  const newestFirst = Array.from({ length: 25 }, (_, n) => `s${String(24 - n).padStart(2, '0')}`);
  const first = await sdk.list();
  expect(ids(first)).toEqual(newestFirst.slice(0, 10));
  expect(await walk(sdk, { max_results: 7 })).toEqual(newestFirst);
  expect(await walk(sdk, { max_results: 500, direction: 'asc' })).toEqual(newestFirst.toReversed());
  expect(Object.keys(await sdk.list({ max_results: 500 }))).not.toContain('next_cursor');
});

test('shows nothing twice and skips nothing while assets come and go between pages', async () => {
  const { sdk, emulator } = await setup();
  await emulator.assets.seed(30, { publicId: 's{n:2}' });
  let added = 0;
  const seen = await walk(sdk, { max_results: 5, direction: 'asc' }, async () => {
    await sdk.upload(png(1, 1), { public_id: `new${(added += 1)}` });
    await sdk.uploader.destroy(`s0${added}`, sdk.account());
  });
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen.filter((id) => id.startsWith('s'))).toHaveLength(30);
});

test('refuses a cursor of another query', async () => {
  const { sdk, emulator } = await setup();
  await emulator.assets.seed(20);
  const { next_cursor: cursor } = await sdk.list();
  const call = sdk.list({ next_cursor: cursor, direction: 'asc' });
  expect(await failure(call)).toEqual({ message: 'Invalid value for parameter next_cursor', http_code: 400 });
  expect((await failure(sdk.list({ next_cursor: 'made up' }))).http_code).toBe(400);
});

test('orders by public id under a prefix, whatever the direction', async () => {
  const { sdk } = await setup();
  for (const id of ['p/b', 'p/a', 'q/c', 'p/c']) await sdk.upload(png(1, 1), { public_id: id });
  expect(ids(await sdk.list({ prefix: 'p/', direction: 'desc' }))).toEqual(['p/a', 'p/b', 'p/c']);
  expect(await walk(sdk, { prefix: 'p/', max_results: 1 })).toEqual(['p/a', 'p/b', 'p/c']);
});

test('keeps resource types apart', async () => {
  const { sdk } = await setup();
  await sdk.upload(png(1, 1), { public_id: 'picture' });
  await sdk.upload(Buffer.from('text'), { public_id: 'text.txt', resource_type: 'raw' });
  expect(ids(await sdk.list())).toEqual(['picture']);
  expect(ids(await sdk.list({ resource_type: 'raw' }))).toEqual(['text.txt']);
  expect(ids(await sdk.list({ resource_type: 'video' }))).toEqual([]);
});

test('starts at a time', async () => {
  const { sdk, emulator } = await setup();
  const createdAt = Date.parse('2026-01-01T00:00:00Z') / 1000;
  await emulator.assets.seed(10, { publicId: 's{n}', createdAt, perSecond: 1 });
  const page = await sdk.list({ start_at: new Date((createdAt + 7) * 1000), direction: 'asc' });
  expect(ids(page)).toEqual(['s7', 's8', 's9']);
});

test('shows tags, context and named fields only when asked', async () => {
  const { sdk } = await setup({ folderMode: 'fixed' });
  const sent = await sdk.upload(png(1, 1), { public_id: 'a', tags: ['t'], context: { k: 'v' } });
  const [plain] = (await sdk.list()).resources;
  expect(plain).not.toHaveProperty('tags');
  expect(plain).not.toHaveProperty('context');
  expect(plain).not.toHaveProperty('etag');
  const [full] = (await sdk.list({ tags: true, context: true })).resources;
  expect(full).toMatchObject({ tags: ['t'], context: { custom: { k: 'v' } } });
  const [picked] = (await sdk.list({ fields: 'etag,uploaded_at,context' })).resources;
  expect(picked).toEqual({
    public_id: 'a',
    asset_id: sent['asset_id'],
    folder: '',
    etag: sent.etag,
    uploaded_at: sent['created_at'],
    context: { custom: { k: 'v' } },
  });
  // The SDK repeats the parameter for a list, and of a repeated one the last counts.
  const [last] = (await sdk.list({ fields: ['etag', 'uploaded_at'] })).resources;
  expect(last).not.toHaveProperty('etag');
  expect(last).toHaveProperty('uploaded_at');
});

test('finds assets by ids, by asset ids of any type, by tag and by context', async () => {
  const { sdk } = await setup();
  const a = await sdk.upload(png(1, 1), { public_id: 'dir/a b', tags: ['t'], context: { k: 'v' } });
  const b = await sdk.upload(Buffer.from('text'), { public_id: 'b.txt', resource_type: 'raw' });
  const account = { ...sdk.account(), type: 'upload' };
  expect(ids(await sdk.api.resources_by_ids(['dir/a b', 'none'], { ...account }))).toEqual(['dir/a b']);
  const assetIds = [String(a['asset_id']), String(b['asset_id']), 'f'.repeat(32)];
  expect(ids(await sdk.api.resources_by_asset_ids(assetIds, { ...account }))).toEqual(['dir/a b', 'b.txt']);
  expect(ids(await sdk.api.resources_by_tag('t', { ...account }))).toEqual(['dir/a b']);
  expect(ids(await sdk.api.resources_by_tag('none', { ...account }))).toEqual([]);
  expect(ids(await sdk.api.resources_by_context('k', 'v', { ...account }))).toEqual(['dir/a b']);
  expect(ids(await sdk.api.resources_by_context('k', 'w', { ...account }))).toEqual([]);
  expect(await sdk.api.resource('dir/a b', { ...account })).toMatchObject({ asset_id: a['asset_id'] });
  expect(await sdk.api.resource_by_asset_id(String(b['asset_id']), { ...account })).toMatchObject({
    public_id: 'b.txt',
  });
  expect(await failure(sdk.api.resource('none', { ...account }))).toEqual({
    message: 'Resource not found - none',
    http_code: 404,
  });
});

test('update clears tags with an empty text and says when it changed the asset', async () => {
  let now = Date.parse('2026-01-01T00:00:00Z');
  const { sdk } = await setup({ now: () => now });
  // The SDK stamps with the real clock, so only answers of the emulator are in 2026.
  const sent = await sdk.upload(png(1, 1), { public_id: 'a', tags: ['t'] });
  now += 5000;
  const updated = await sdk.api.update('a', { ...sdk.account(), tags: '' });
  expect(updated).not.toHaveProperty('tags');
  expect(updated).toMatchObject({
    created_at: sent['created_at'],
    uploaded_at: '2026-01-01T00:00:00Z',
    last_updated: { tags_updated_at: '2026-01-01T00:00:05Z', updated_at: '2026-01-01T00:00:05Z' },
  });
});

test('refuses wrong credentials', async () => {
  const { sdk } = await setup();
  expect(await failure(sdk.list({ api_secret: 'wrong' }))).toEqual({
    message: 'api_secret mismatch',
    http_code: 401,
  });
  expect((await failure(sdk.list({ cloud_name: 'other' }))).http_code).toBe(401);
});
