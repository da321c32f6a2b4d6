import { expect, test } from 'vitest';
import { png } from '../testing/png.js';
import { failure, type ListedAsset } from '../testing/sdk-for.js';
import { setup } from '../testing/setup.js';

const ids = (page: { resources: ListedAsset[] }) => page.resources.map((asset) => asset.public_id);

test('finds by expression over all resource types', async () => {
  const { sdk } = await setup();
  await sdk.upload(png(1, 1), { public_id: 'dir/one', tags: ['sea', 'sun'], context: { k: 'v' } });
  await sdk.upload(png(9, 1), { public_id: 'dir/two', tags: ['sea'] });
  await sdk.upload(Buffer.from('text'), { public_id: 'three.txt', resource_type: 'raw' });
  const find = async (expression: string) =>
    ids(await sdk.search(expression, { sortBy: [['public_id', 'asc']] }));
  expect(await find('')).toEqual(['dir/one', 'dir/two', 'three.txt']);
  expect(await find('tags=sea AND NOT tags=sun')).toEqual(['dir/two']);
  expect(await find('public_id:dir/*')).toEqual(['dir/one', 'dir/two']);
  expect(await find('resource_type:raw OR width>5')).toEqual(['dir/two', 'three.txt']);
  expect(await find('context.k="v"')).toEqual(['dir/one']);
  expect(await find('no_such_field=1')).toEqual([]);
});

test('pages through a range of upload times, oldest first', async () => {
  const { sdk, emulator } = await setup();
  const createdAt = Date.parse('2026-01-01T00:00:00Z') / 1000;
  await emulator.assets.seed(100, {
    publicId: 's{n:2}',
    createdAt,
    perSecond: 1,
    context: { number: '{n}' },
  });
  const expression = 'uploaded_at>="2026-01-01T00:01:00Z" AND resource_type:image';
  const seen: ListedAsset[] = [];
  let cursor: string | undefined;
  do {
    const page = await sdk.search(expression, {
      sortBy: [
        ['uploaded_at', 'asc'],
        ['public_id', 'asc'],
      ],
      withField: ['context'],
      maxResults: 15,
      ...(cursor === undefined ? {} : { cursor }),
    });
    expect(page.total_count).toBe(40);
    seen.push(...page.resources);
    cursor = page.next_cursor;
  } while (cursor !== undefined);
  expect(ids({ resources: seen })).toEqual(Array.from({ length: 40 }, (_, n) => `s${60 + n}`));
  expect(seen[0]).toMatchObject({
    context: { number: '60' },
    uploaded_at: '2026-01-01T00:01:00Z',
  });
});

test('does not see a change before the lag is over', async () => {
  let now = Date.now();
  const { sdk } = await setup({ searchLagMs: 5000, now: () => now });
  await sdk.upload(png(1, 1), { public_id: 'a', tags: ['old'] });
  expect(ids(await sdk.search('public_id=a'))).toEqual([]);
  expect(ids(await sdk.list())).toEqual(['a']);
  now += 5000;
  expect(ids(await sdk.search('public_id=a'))).toEqual(['a']);

  await sdk.uploader.replace_tag('new', ['a'], sdk.account());
  expect(ids(await sdk.search('tags=old'))).toEqual(['a']);
  expect(ids(await sdk.search('tags=new'))).toEqual([]);
  await sdk.uploader.destroy('a', sdk.account());
  now += 4000;
  expect(ids(await sdk.search('public_id=a'))).toEqual(['a']);
  now += 1000;
  expect(ids(await sdk.search('public_id=a'))).toEqual([]);
});

test('finds edits by last_updated, where the account supports that', async () => {
  let now = Date.now();
  const { sdk, emulator } = await setup({ now: () => now });
  await sdk.upload(png(1, 1), { public_id: 'a' });
  await sdk.upload(png(1, 1), { public_id: 'b' });
  now += 60_000;
  await sdk.uploader.add_tag('t', ['b'], sdk.account());
  const expression = `last_updated>="${new Date(now).toISOString()}"`.replace(/\.\d+Z/, 'Z');
  expect(ids(await sdk.search(expression))).toEqual(['b']);
  await emulator.configure({ searchKnowsLastUpdated: false });
  expect(ids(await sdk.search(expression))).toEqual([]);
});

test('shows beside named fields what it always shows', async () => {
  const { sdk, emulator } = await setup({ folderMode: 'fixed' });
  await sdk.upload(png(1, 1), { public_id: 'a', context: { k: 'v' } });
  const namedKeys = async () => {
    const { resources } = await sdk.search('public_id=a', { fields: ['context'] });
    return Object.keys(resources[0] ?? {}).toSorted();
  };
  const always = ['asset_id', 'created_at', 'public_id', 'resource_type', 'status', 'type'];
  expect(await namedKeys()).toEqual([...always, 'context', 'folder'].toSorted());
  await emulator.configure({ folderMode: 'dynamic' });
  expect(await namedKeys()).toEqual([...always, 'context', 'asset_folder'].toSorted());
});

test('refuses an expression it cannot read', async () => {
  const { sdk } = await setup();
  expect(await failure(sdk.search('tags=(a'))).toMatchObject({ http_code: 400 });
});
