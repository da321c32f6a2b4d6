import { expect, it } from 'vitest';
import { recordFromAsset } from '../../media/index.js';
import { createCatalog } from '../../catalog/index.js';
import { redisKeys } from '../../redis/index.js';
import { startRedisSandbox } from '../../testing/index.js';
import { readPage } from './reply-schemas.js';

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
