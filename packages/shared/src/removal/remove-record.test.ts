import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createCatalog, type Catalog } from '../catalog/index.js';
import { redisKeys } from '../redis/index.js';
import { aRecord, startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { finishRemoval } from './remove-record.js';

let redis: RedisSandbox;
let catalog: Catalog;
beforeAll(async () => {
  redis = await startRedisSandbox();
  catalog = createCatalog(redis.client, redisKeys('holdfast'));
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushall());

it('deletes a record that came back when Redis was emptied meanwhile', async () => {
  const record = aRecord();
  await catalog.save(record);
  await catalog.beginDelete(record.id);
  await redis.client.flushall();
  await catalog.save(record);

  await finishRemoval(catalog, record.id, record.assetId);
  expect(await catalog.find(record.id)).toBeNull();
  expect(await catalog.isTombstoned(record.id)).toBe(true);
  expect(await catalog.isTombstoned(`cld-${record.assetId}`)).toBe(true);
});

it('keeps out what would come back after it, when Redis was emptied meanwhile', async () => {
  const record = aRecord();
  await catalog.save(record);
  await catalog.beginDelete(record.id);
  await redis.client.flushall();

  await finishRemoval(catalog, record.id, null);
  expect(await catalog.save(record)).toBe('tombstoned');
});
