import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { newMediaId, timeOfId, type MediaRecord } from '../media/index.js';
import { redisKeys } from '../redis/index.js';
import { aRecord, proofOf, startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createCatalog, type Catalog, type ListQuery } from './index.js';
import { sha256Place } from './indexes.js';

const keys = redisKeys('holdfast');
const at = (ms: number): string => new Date(1_700_000_000_000 + ms).toISOString();

let redis: RedisSandbox;
let catalog: Catalog;
beforeAll(async () => {
  redis = await startRedisSandbox();
  catalog = createCatalog(redis.client, keys);
});
afterAll(() => redis.close());

describe('a listing', () => {
  beforeEach(() => redis.client.flushall());

  const fill = async (
    count: number,
    over: (index: number) => Partial<MediaRecord> = () => ({}),
  ): Promise<MediaRecord[]> => {
    const records = Array.from({ length: count }, (_unused, index) =>
      aRecord({ id: newMediaId(1_700_000_000_000 + index), createdAt: at(index), ...over(index) }),
    );
    await catalog.saveMany(
      records.map((record) => ({ record })),
      null,
    );
    return records;
  };
  const walk = async (
    query: Parameters<Catalog['list']>[0],
    between: () => Promise<unknown> = async () => undefined,
  ): Promise<string[]> => {
    const ids: string[] = [];
    let cursor: string | null | undefined;
    do {
      const page = await catalog.list({ ...query, ...(typeof cursor === 'string' ? { cursor } : {}) });
      ids.push(...page.items.map((item) => item.id));
      cursor = page.nextCursor;
      await between();
    } while (cursor !== null);
    return ids;
  };

  it('walks everything once in either order, whatever the types and however many share one moment', async () => {
    const types = ['image', 'video', 'raw'] as const;
    const records = await fill(60, (index) => ({
      createdAt: at(Math.floor(index / 20)),
      resourceType: types[index % 3] ?? 'image',
    }));
    const ids = records.map((record) => record.id);
    expect(await walk({ limit: 7, order: 'oldest' })).toEqual(ids);
    expect(await walk({ limit: 7, order: 'newest' })).toEqual(ids.toReversed());
  });

  it('skips and repeats nothing while media are added and the item of the cursor is deleted', async () => {
    const records = await fill(30);
    let next = 0;
    const newest = records.toReversed().map((record) => record.id);
    const seen = await walk({ limit: 5, order: 'newest' }, async () => {
      await catalog.save(aRecord({ id: newMediaId(1_800_000_000_000 + next), createdAt: at(10_000 + next) }));
      const last = newest[next * 5 + 4];
      if (last !== undefined) {
        await catalog.beginDelete(last);
        await catalog.finishDelete(last);
      }
      next += 1;
    });
    expect(seen).toEqual(newest);
  });

  it('writes nothing, whatever the types and whether the item of the cursor is there', async () => {
    const types = ['image', 'video', 'raw'] as const;
    const [, second] = await fill(9, (index) => ({ resourceType: types[index % 3] ?? 'image' }));
    const writes = async (): Promise<string | undefined> =>
      /rdb_changes_since_last_save:(\d+)/.exec(await redis.client.info('persistence'))?.[1];
    const page = await catalog.list({ limit: 2, order: 'oldest' });
    await catalog.beginDelete(second?.id ?? '');
    await catalog.finishDelete(second?.id ?? '');
    const before = await writes();
    expect(before).not.toBe('0');
    await catalog.list({ limit: 2, order: 'oldest', cursor: page.nextCursor ?? '' });
    expect(await writes()).toBe(before);
  });

  it('combines filters and counts exactly', async () => {
    await fill(40, (index) => ({
      category: index % 2 === 0 ? 'even' : 'odd',
      tags: index % 5 === 0 ? ['five'] : [],
    }));
    const page = await catalog.list({ limit: 2, order: 'oldest', category: 'even', tag: 'five' });
    expect(page.items).toHaveLength(2);
    expect(page.total).toBe(4);
    expect(await walk({ limit: 2, order: 'oldest', category: 'even', tag: 'five' })).toHaveLength(4);
    expect(await catalog.list({ limit: 1, order: 'oldest', category: 'odd' })).toMatchObject({ total: 20 });
  });

  it('finds by status and by checksum', async () => {
    const [first, second] = await fill(2);
    await catalog.markVerified('fsynced', new Date(), [proofOf(first ?? aRecord())]);
    expect(
      (await catalog.list({ limit: 5, order: 'newest', status: 'verified' })).items.map((item) => item.id),
    ).toEqual([first?.id]);
    expect((await catalog.list({ limit: 5, order: 'newest', status: 'saving' })).total).toBe(1);
    const bySha = await catalog.list({ limit: 5, order: 'newest', sha256: second?.checksum.sha256 ?? '' });
    expect(bySha).toMatchObject({ total: 1, items: [{ id: second?.id }] });
  });

  it('refuses a cursor that was made for other filters, or by others', async () => {
    await fill(3);
    const { nextCursor } = await catalog.list({ limit: 1, order: 'newest' });
    await expect(catalog.list({ limit: 1, order: 'oldest', cursor: nextCursor ?? '' })).rejects.toMatchObject(
      { code: 'INVALID_CURSOR' },
    );
    await expect(catalog.list({ limit: 1, order: 'newest', cursor: 'abc' })).rejects.toMatchObject({
      code: 'INVALID_CURSOR',
    });
  });
});

describe('copies of one file', () => {
  const COPIES = 3_000;
  const sha256 = 'ab'.repeat(32);
  const bytes = { sha256, md5: 'cd'.repeat(16) };

  let copies: MediaRecord[];
  const loaded: number[] = [];

  beforeAll(async () => {
    await redis.client.flushall();
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

  const records = (): number => loaded.reduce((sum, count) => sum + count, 0);

  async function pagesOf(query: Omit<ListQuery, 'cursor'>) {
    const pages = [await catalog.list(query)];
    for (
      let cursor = pages[0]?.nextCursor ?? null;
      cursor !== null;
      cursor = pages.at(-1)?.nextCursor ?? null
    )
      pages.push(await catalog.list({ ...query, cursor }));
    return pages;
  }

  it('loads a page of the copies of a file, however many there are', async () => {
    const page = await catalog.list({ sha256, limit: 1, order: 'newest' });
    expect(page).toMatchObject({ items: [{ checksum: bytes }], total: COPIES });
    expect(records()).toBeLessThan(5);
  });

  it.each(['newest', 'oldest'] as const)('lists each copy once, the %s first', async (order) => {
    const items = (await pagesOf({ sha256, limit: 100, order })).flatMap((page) => page.items);
    expect(items.map(({ id }) => id).toSorted()).toEqual(copies.map(({ id }) => id).toSorted());
    const times = items.map(({ createdAt }) => Date.parse(createdAt));
    expect(times).toEqual(times.toSorted((a, b) => (order === 'newest' ? b - a : a - b)));
  });

  it('does not count what several filters leave of many copies, and looks at a bounded number of them', async () => {
    const page = await catalog.list({ sha256, type: 'video', limit: 100, order: 'newest' });
    expect(page).toMatchObject({ items: [], total: null });
    expect(records()).toBeLessThan(2_500);
    const pages = await pagesOf({ sha256, type: 'raw', limit: 100, order: 'newest' });
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

  it('gives the newest hundred of them', async () => {
    const { items: found } = await catalog.list({ sha256, order: 'newest', limit: 100 });
    const newest = copies
      .map(({ id }) => id)
      .toSorted()
      .slice(-100);
    expect(found.map(({ id }) => id).toSorted()).toEqual(newest);
    expect(records()).toBeLessThanOrEqual(101);
  });
});
