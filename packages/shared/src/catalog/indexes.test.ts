import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { MediaRecord } from '../media/index.js';
import { redisKeys } from '../redis/index.js';
import { aRecord, proofOf, startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createCatalog, type Catalog } from './index.js';

const keys = redisKeys('holdfast');
const never = new AbortController().signal;
const start = Date.parse('2026-01-01T00:00:00.000Z');

let redis: RedisSandbox;
let catalog: Catalog;
beforeAll(async () => {
  redis = await startRedisSandbox(['--appendonly', 'no']);
  catalog = createCatalog(redis.client, keys);
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushall());

/** Records a second apart; verified ones have no entry among the statuses. */
async function filled(
  count: number,
  { verified = true, tags = [] as string[] } = {},
): Promise<MediaRecord[]> {
  const records = Array.from({ length: count }, (_, n) =>
    aRecord({ tags, createdAt: new Date(start + n * 1_000).toISOString() }),
  );
  await catalog.saveMany(
    records.map((record) => ({ record })),
    null,
  );
  const proofs = records.map((record) => proofOf(record));
  if (verified) await catalog.markVerified('fsynced', new Date(), proofs);
  return records;
}

const keysOf = async (pattern: string): Promise<string[]> => (await redis.client.keys(pattern)).toSorted();
const total = async (): Promise<number> => (await catalog.counts()).total;

it.each(['type:i', 'category:nature', 'tag:sea', 'sha256:*', 'status:s'])(
  'adds what was lost of the index %s, however many records there are',
  async (name) => {
    await filled(600, { verified: false, tags: ['sea'] });
    const before = await entriesOfAll();
    await redis.client.del(await keysOf(keys.index(name)));
    expect(await catalog.repairIndexes(never)).toEqual({ added: 600, dropped: 0 });
    expect(await entriesOfAll()).toEqual(before);
    expect(await catalog.repairIndexes(never)).toEqual({ added: 0, dropped: 0 });
  },
);

it('counts no record that Redis lost, and one once that came back with another date or state', async () => {
  const [lost, moved] = await filled(20);
  const error = { code: 'DURABILITY_TOO_LOW', message: 'x' };
  for (const { id } of [lost ?? aRecord(), moved ?? aRecord()]) {
    await catalog.noteFailure({ id, revision: 0, attempts: 3, final: true, error });
    await redis.client.del(keys.record(id));
  }
  await catalog.save({ ...(moved ?? aRecord()), createdAt: new Date(start + 1e7).toISOString() });
  expect(await catalog.counts()).toMatchObject({ total: 20, byStatus: { failed: 2 } });
  await catalog.repairIndexes(never, true);
  expect(await catalog.counts()).toMatchObject({ total: 19, byStatus: { failed: 0, saving: 1 } });
});

it('leaves the entries of a record that only a newer version can read', async () => {
  const [{ id } = aRecord()] = await filled(3);
  await redis.client.set(keys.record(id), 'something else');
  await catalog.repairIndexes(never, true);
  expect(await redis.client.zscore(keys.byType('i'), id)).not.toBeNull();
});

it('ends at once when its signal aborts', async () => {
  await filled(3);
  const stopped = AbortSignal.abort(new Error('stopped'));
  await expect(catalog.repairIndexes(stopped)).rejects.toThrow('stopped');
});

it('makes its indexes from the records of 0.1.0, and then removes the old ones', async () => {
  await filled(30);
  const intact = await entriesOfAll();
  await redis.client.del(await keysOf(keys.index('*')));
  const old = ['t:i', 'c:nature', 'g:sea', 'h:ab1', 's:s', 'd:t:i', 'k:1767225600000:01A:t:i'];
  for (const name of old) await redis.client.zadd(keys.oldIndex(name), 1, '01A');
  await redis.client.hset(keys.oldIndex('n'), 't:i', 1);
  expect(await catalog.hasOldIndexes()).toBe(true);
  expect((await catalog.repairIndexes(never)).added).toBeGreaterThan(30);
  expect(await entriesOfAll()).toEqual(intact);
  expect(await keysOf(keys.oldIndex('*'))).toEqual([]);
  expect(await catalog.hasOldIndexes()).toBe(false);
});

it.each([true, false])(
  'drops what an edit by a process of 0.1.0 left in the indexes (its own are there: %s)',
  async (areThere) => {
    const [edited = aRecord()] = await filled(3, { tags: ['sea'] });
    const tagged = { ...edited, category: 'sports', tags: ['sun'], revision: 2 };
    const stale = [keys.byCategory('nature'), keys.byTag('sea')];
    await catalog.save(tagged);
    for (const index of stale) await redis.client.zadd(index, start, edited.id);
    await redis.client.zrem(keys.byTag('sun'), edited.id);
    await redis.client.zadd(keys.oldIndex('g:sun'), start, edited.id);
    if (areThere) await redis.client.zadd(keys.oldIndex('t:i'), start, edited.id);
    await catalog.repairIndexes(never);
    expect((await catalog.list({ limit: 1, order: 'newest', tag: 'sea' })).total).toBe(2);
    expect((await catalog.list({ limit: 1, order: 'newest', category: 'nature' })).total).toBe(2);
    expect((await catalog.list({ limit: 1, order: 'newest', tag: 'sun' })).total).toBe(1);
    expect(await keysOf(keys.oldIndex('*'))).toEqual([]);
  },
);

it('rebuilds every index, whatever was lost of it or is left in it', async () => {
  const records = await filled(150);
  const tagged = aRecord({ tags: ['sea', 'sun'], category: 'a[b]*', createdAt: '2026-02-01T00:00:00.000Z' });
  const waiting = aRecord({ tags: ['sea'], createdAt: '2026-02-02T00:00:00.000Z' });
  await catalog.saveMany([{ record: tagged }, { record: waiting }], null);
  await catalog.markVerified('fsynced', new Date(), [proofOf(tagged)]);
  const intact = await entriesOfAll();
  const [lost] = records;
  expect(await catalog.repairIndexes(never, true)).toEqual({ added: 0, dropped: 0 });

  for (const index of await keysOf(keys.index('*'))) {
    const entry = await redis.client.zpopmin(index);
    await redis.client.zadd(index, Number(entry[1]) + 1, 'NOBODY');
  }
  await redis.client.del(keys.record(lost?.id ?? ''));
  const { added, dropped } = await catalog.repairIndexes(never, true);
  expect(added).toBeGreaterThan(3);
  expect(dropped).toBeGreaterThan(5);
  expect(await entriesOfAll()).toEqual(intact.filter((entry) => !entry.endsWith(lost?.id ?? '')));
  expect(await total()).toBe(151);
});

it('costs less than 1,400 bytes a record with a description, a category and three tags, indexes included', async () => {
  const used = async (): Promise<number> =>
    Number(/used_memory:(\d+)/.exec(await redis.client.info('memory'))?.[1]);
  const before = await used();
  const count = 10_000;
  for (let first = 0; first < count; first += 500) {
    const page = Array.from({ length: 500 }, (_unused, index) => {
      const n = first + index;
      const sha256 = (n * 2_654_435_761).toString(16).padStart(12, '0').slice(-12).padEnd(64, 'c');
      return {
        record: aRecord({
          checksum: { sha256, md5: 'ab'.repeat(16) },
          title: `Harbour at dawn ${String(n)}`,
          description: 'Boats in the old harbour, seen from the mole, an hour before noon.',
          category: `category-${String(n % 20)}`,
          tags: [0, 17, 31].map((step) => `tag-${String((n + step) % 50)}`),
        }),
      };
    });
    await catalog.saveMany(page, null);
    await catalog.markVerified(
      'fsynced',
      new Date(),
      page.map(({ record }) => proofOf(record)),
    );
  }
  expect(((await used()) - before) / count).toBeLessThan(1_400);
});

/** `<index> <score> <id>` of every entry. */
async function entriesOfAll(): Promise<string[]> {
  const entries: string[] = [];
  for (const index of await keysOf(keys.index('*'))) {
    const list = await redis.client.zrange(index, 0, '-1', 'WITHSCORES');
    for (let at = 0; at < list.length; at += 2)
      entries.push(`${index} ${String(list[at + 1])} ${String(list[at])}`);
  }
  return entries.toSorted();
}
