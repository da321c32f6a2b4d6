import { expect, it, onTestFinished } from 'vitest';
import { createCatalog, type Catalog } from '@holdfast/shared/catalog';
import { HoldfastError } from '@holdfast/shared/errors';
import { silentLogger } from '@holdfast/shared/logging';
import { redisKeys } from '@holdfast/shared/redis';
import { aRecord, startRedisSandbox } from '@holdfast/shared/testing';
import { upgradeIndexes } from './upgrade-indexes.js';

const keys = redisKeys('holdfast');

async function catalogOfEarlierVersion() {
  const redis = await startRedisSandbox(['--appendonly', 'no']);
  onTestFinished(() => redis.close());
  const catalog = createCatalog(redis.client, keys);
  const record = aRecord();
  await catalog.save(record);
  await redis.client.del(await redis.client.keys(keys.index('*')));
  await redis.client.zadd(keys.oldIndex('t:i'), Date.parse(record.createdAt), record.id);
  return { redis, catalog, record };
}

const all = { limit: 10, order: 'newest' } as const;

it('lists the records of an earlier version once its indexes are rebuilt', async () => {
  const { redis, catalog, record } = await catalogOfEarlierVersion();
  expect(await catalog.list(all)).toMatchObject({ items: [], total: 0 });
  let left = 2;
  const hasOldIndexes = async (): Promise<boolean> => {
    left -= 1;
    if (left > 0) throw new HoldfastError('CATALOG_UNAVAILABLE');
    return catalog.hasOldIndexes();
  };
  const upgrade = upgradeIndexes({ ...catalog, hasOldIndexes }, silentLogger);
  await upgrade.start();
  await expect.poll(() => redis.client.exists(keys.oldIndex('t:i')), { timeout: 10_000 }).toBe(0);
  await upgrade.stop(AbortSignal.abort());
  expect(await catalog.list(all)).toMatchObject({ items: [{ id: record.id }], total: 1 });
});

it('asks once where nothing is to be upgraded', async () => {
  let asked = 0;
  const catalog: Pick<Catalog, 'hasOldIndexes' | 'repairIndexes'> = {
    hasOldIndexes: () => {
      asked += 1;
      return Promise.resolve(false);
    },
    repairIndexes: () => Promise.reject(new Error('not to be called')),
  };
  const upgrade = upgradeIndexes(catalog, silentLogger);
  await upgrade.start();
  await upgrade.stop(AbortSignal.abort());
  expect(asked).toBe(1);
});
