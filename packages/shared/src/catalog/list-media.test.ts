import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { newMediaId, timeOfId, type MediaRecord } from '../media/index.js';
import { redisKeys } from '../redis/index.js';
import { aRecord, startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createCatalog, type Catalog, type ListQuery, type MediaPage } from './index.js';
import { sha256Place } from './indexes.js';

const COPIES = 3_000;
const sha256 = 'ab'.repeat(32);
const bytes = { sha256, md5: 'cd'.repeat(16) };

let redis: RedisSandbox;
let catalog: Catalog;
let copies: MediaRecord[];
const loaded: number[] = [];

beforeAll(async () => {
  redis = await startRedisSandbox();
  const keys = redisKeys('holdfast');
  catalog = createCatalog(redis.client, keys);
  copies = Array.from({ length: COPIES }, (_, n) => {
    const id = newMediaId(Date.now() + n);
    return aRecord({
      id,
      createdAt: new Date(timeOfId(id)).toISOString(),
      checksum: bytes,
      resourceType: n % 2 === 0 ? 'image' : 'raw',
      description: n < 500 ? 'x'.repeat(5_000) : '',
      tags: n < 500 ? ['long'] : [],
    });
  });
  for (let first = 0; first < COPIES; first += 500)
    await catalog.saveMany(
      copies.slice(first, first + 500).map((record) => ({ record })),
      null,
    );
  // Neighbours in the same bucket, before and after.
  const { key, score } = sha256Place(keys, sha256);
  await redis.client.zadd(key, score - 1, '01A', score + 1, '01Z');
  const mget = redis.client.mget.bind(redis.client) as (names: string[]) => Promise<(string | null)[]>;
  vi.spyOn(redis.client, 'mget').mockImplementation((async (names: string[]) => {
    loaded.push(names.length);
    return mget(names);
  }) as never);
});
beforeEach(() => void loaded.splice(0));
afterAll(() => redis.close());

const records = (): number => loaded.reduce((sum, count) => sum + count, 0);

async function walk(query: Omit<ListQuery, 'cursor'>): Promise<MediaPage[]> {
  const pages = [await catalog.list(query)];
  for (let cursor = pages[0]?.nextCursor ?? null; cursor !== null; cursor = pages.at(-1)?.nextCursor ?? null)
    pages.push(await catalog.list({ ...query, cursor }));
  return pages;
}

it('loads a page of the copies of a file, however many there are', async () => {
  const page = await catalog.list({ sha256, limit: 1, order: 'newest' });
  expect(page).toMatchObject({ items: [{ checksum: bytes }], total: COPIES });
  expect(records()).toBeLessThan(5);
});

it.each(['newest', 'oldest'] as const)('lists each copy once, the %s first', async (order) => {
  const items = (await walk({ sha256, limit: 100, order })).flatMap((page) => page.items);
  expect(items.map(({ id }) => id).toSorted()).toEqual(copies.map(({ id }) => id).toSorted());
  const times = items.map(({ createdAt }) => Date.parse(createdAt));
  expect(times).toEqual(times.toSorted((a, b) => (order === 'newest' ? b - a : a - b)));
});

it('does not count what several filters leave of many copies, and looks at a bounded number of them', async () => {
  const page = await catalog.list({ sha256, type: 'video', limit: 100, order: 'newest' });
  expect(page).toMatchObject({ items: [], total: null });
  expect(records()).toBeLessThan(2_500);
  const pages = await walk({ sha256, type: 'raw', limit: 100, order: 'newest' });
  expect(pages.flatMap(({ items }) => items)).toHaveLength(COPIES / 2);
});

it('stops at records of 4 MB together, and does not count them', async () => {
  const page = await catalog.list({
    tag: 'long',
    type: 'image',
    status: 'failed',
    limit: 1,
    order: 'newest',
  });
  expect(page).toMatchObject({ items: [], total: 0 });
  const long = await catalog.list({ tag: 'long', type: 'image', limit: 1, order: 'newest' });
  expect(long.total).toBe(250);
});

it('looks for duplicates among the newest hundred', async () => {
  const found = await catalog.withSha256(sha256);
  const newest = copies
    .map(({ id }) => id)
    .toSorted()
    .slice(-100);
  expect(found.map(({ id }) => id).toSorted()).toEqual(newest);
  expect(records()).toBe(100);
});
