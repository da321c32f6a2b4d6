import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { redisKeys } from '../redis/index.js';
import { startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createCatalog, type Catalog } from './index.js';

let redis: RedisSandbox;
let catalog: Catalog;
beforeAll(async () => {
  redis = await startRedisSandbox();
  catalog = createCatalog(redis.client, redisKeys('holdfast'));
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushall());

it('forgets a merge base once the host has that revision, and not that of a later one', async () => {
  await catalog.noteMergeBases([{ id: 'a', revision: 12, base: 'x', over: 11 }]);
  await catalog.forgetMergeBase('a', 9);
  expect((await catalog.findMergeBases(['a'])).get('a')).toEqual({ revision: 12, base: 'x', over: 11 });
  await catalog.forgetMergeBase('a', 12);
  await catalog.forgetMergeBase('a', 12);
  expect(await catalog.findMergeBases(['a'])).toEqual(new Map());
});

it('never replaces the base of a later revision by that of an earlier one, however late that is noted', async () => {
  await catalog.noteMergeBases([{ id: 'a', revision: 12, base: 'x', over: 11 }]);
  await catalog.noteMergeBases([
    { id: 'a', revision: 9, base: 'older', over: 8 },
    { id: 'b', revision: 2, base: 'y', over: 0 },
  ]);
  expect(await catalog.findMergeBases(['a', 'b'])).toEqual(
    new Map([
      ['a', { revision: 12, base: 'x', over: 11 }],
      ['b', { revision: 2, base: 'y', over: 0 }],
    ]),
  );
  expect(await redis.client.ttl('{holdfast}:taken:a')).toBeGreaterThan(6 * 86_400);
});
