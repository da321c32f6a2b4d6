import { describe, expect, it } from 'vitest';
import { createCatalog } from '../../catalog/index.js';
import { recordFromAsset } from '../../media/index.js';
import { redisKeys } from '../../redis/index.js';
import { startRedisSandbox } from '../../testing/index.js';
import { readPage } from './replies.js';

const listed = (tag: string) => ({
  asset_id: 'a'.repeat(32),
  public_id: 'holiday/beach',
  resource_type: 'image',
  format: 'png',
  version: 1_700_000_000,
  created_at: '2026-01-01T00:00:00Z',
  bytes: 10,
  secure_url: 'https://example.com/beach.png',
  tags: [tag],
  context: { custom: { caption: tag } },
});

it('makes whole characters of halves, so that the catalog can take the asset', async () => {
  const redis = await startRedisSandbox();
  try {
    const { assets } = readPage({ resources: [listed('sea\ud800')] });
    const [asset] = assets;
    if (asset === undefined) throw new Error('no asset was read');
    expect([asset.tags, asset.context]).toEqual([['sea\ufffd'], { caption: 'sea\ufffd' }]);
    const catalog = createCatalog(redis.client, redisKeys('holdfast'));
    const record = recordFromAsset(asset, 'holdfast', 'sync');
    expect(await catalog.save(record)).toBe('created');
    expect((await catalog.find(record.id))?.tags).toEqual(['sea\ufffd']);
  } finally {
    await redis.close();
  }
});

it.each([
  '',
  'yesterday',
  '2026-13-45T99:00:00Z',
  '+123456-01-01T00:00:00Z',
  '-000001-01-01T00:00:00Z',
  5,
  {},
])('takes an asset with an invalid date for unreadable, and no other: %j', (date) => {
  const good = { ...listed('sea'), asset_id: 'b'.repeat(32), uploaded_at: '2026-01-02T00:00:00Z' };
  for (const bad of [{ created_at: date }, { uploaded_at: date }, { version: 1e15 }]) {
    const page = readPage({ resources: [{ ...listed('sea'), ...bad }, good] });
    expect(page.assets).toMatchObject([{ createdAt: good.created_at, uploadedAt: good.uploaded_at }]);
    expect(page.unreadable).toMatchObject([{ assetId: 'a'.repeat(32) }]);
  }
  expect(readPage({ resources: [listed('sea')] }).assets[0]?.uploadedAt).toBe('2023-11-14T22:13:20Z');
});

describe('a page', () => {
  const { bytes: _, ...halfListed } = { ...listed('sea'), asset_id: 'c'.repeat(32) };

  it('names an asset that lacks what every asset has, and leaves it out', () => {
    const resources = [halfListed, listed('sea'), { public_id: 'beach' }, { bytes: 1 }, 'asset'];
    const page = readPage({ resources, next_cursor: 'next' });
    expect(page.assets.map(({ assetId }) => assetId)).toEqual(['a'.repeat(32)]);
    expect(page.nextCursor).toBe('next');
    expect(page.unreadable).toEqual([
      { assetId: 'c'.repeat(32), publicId: 'holiday/beach' },
      { assetId: null, publicId: 'beach' },
      { assetId: null, publicId: null },
      { assetId: null, publicId: null },
    ]);
  });

  it.each([
    { public_id: 'gone', placeholder: true },
    { public_id: 'gone', bytes: 0 },
    { ...listed('sea'), bytes: 0, placeholder: true },
    { ...listed('sea'), bytes: 0 },
  ])('leaves out what exists only as a backup, whatever that lacks: %j', (backup) => {
    const page = readPage({ resources: [backup] });
    expect([page.assets, page.unreadable]).toEqual([[], []]);
  });

  it('reports what no asset of it has, though each has it on the host', () => {
    const lackingIn = (...resources: object[]) => readPage({ resources }).lacking;
    const whole = { ...listed('sea'), etag: 'e', uploaded_at: '2026-01-01T00:00:00Z', width: 1, height: 1 };
    expect(lackingIn()).toEqual([]);
    expect(lackingIn(whole, listed('sea'))).toEqual([]);
    expect(lackingIn(listed('sea'), listed('hill'))).toEqual(['uploaded_at', 'etag', 'width', 'height']);
    const raw = { ...whole, resource_type: 'raw', width: null, height: null };
    expect(lackingIn(raw, raw)).toEqual([]);
    // One that is odd says nothing of the listing, nor do those that exist only as a backup.
    expect(lackingIn(listed('sea'))).toEqual([]);
    expect(lackingIn(raw, raw, listed('sea'))).toEqual([]);
    const backup = { public_id: 'gone', resource_type: 'image', bytes: 0, placeholder: true };
    expect(lackingIn(backup, backup)).toEqual([]);
  });

  it.each([
    [{ custom: { caption: 'sea' } }],
    [{ caption: 'sea' }],
    [[{ key: 'caption', value: 'sea' }]],
    [{ custom: [{ key: 'caption', value: 'sea' }] }],
  ])('reads context in each of its shapes: %j', (context) => {
    const [asset] = readPage({ resources: [{ ...listed('sea'), context }] }).assets;
    expect(asset?.context).toEqual({ caption: 'sea' });
  });

  it('treats context of any other shape as unreadable, not as none', () => {
    const page = readPage({ resources: [{ ...listed('sea'), context: 'caption=sea' }] });
    expect(page.unreadable).toHaveLength(1);
  });

  it('says nothing of what an asset of it lacks', () => {
    const [asset] = readPage({ resources: [{ ...listed('sea'), format: undefined }] }).assets;
    expect([asset?.format, asset?.width, asset?.durationSeconds]).toEqual([undefined, undefined, undefined]);
  });

  it.each([{}, { resources: 1 }])('is refused where it is invalid: %j', (reply) => {
    expect(() => readPage(reply)).toThrow(expect.objectContaining({ code: 'HOST_REJECTED' }) as Error);
  });

  it('is refused where it leads back to itself', () => {
    const spent = expect.objectContaining({ code: 'HOST_CURSOR_SPENT' }) as Error;
    const reply = { resources: [], next_cursor: 'same' };
    expect(() => readPage(reply, 'same')).toThrow(spent);
    expect(readPage(reply, 'before').nextCursor).toBe('same');
  });
});
