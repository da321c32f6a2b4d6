import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { MediaRecord } from '../media/index.js';
import { redisKeys } from '../redis/index.js';
import { aRecord, startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { countArguments, scarceEntriesScript } from './entry-counts.js';
import { createCatalog, encodeContent, type Catalog } from './index.js';

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

/** Records a second apart from then on; verified ones have no entry among the statuses. */
async function filled(count: number, fromSecond = 0, { verified = true } = {}): Promise<MediaRecord[]> {
  const records = Array.from({ length: count }, (_, n) =>
    aRecord({ tags: [], createdAt: new Date(start + (fromSecond + n) * 1_000).toISOString() }),
  );
  for (let first = 0; first < count; first += 200) {
    const page = records.slice(first, first + 200);
    await catalog.saveMany(
      page.map((record) => ({ record })),
      null,
    );
    const entries = page.map(({ id, revision }) => ({ id, revision, attempts: 1 }));
    if (verified) await catalog.markVerified('fsynced', new Date(), entries);
  }
  return records;
}

const contents = (records: readonly MediaRecord[]) =>
  records.map((record) => ({ id: record.id, content: encodeContent(record) }));
const isScarce = async (records: readonly MediaRecord[]): Promise<boolean> =>
  (await scarceEntriesScript(redis.client, [keys.prefix], countArguments(keys, contents(records)))) === 1;
const keysOf = async (pattern: string): Promise<string[]> => (await redis.client.keys(pattern)).toSorted();
const total = async (): Promise<number> => (await catalog.counts()).total;

it('finds nothing scarce where nothing was lost, wherever a page begins and ends', async () => {
  const records = await filled(300);
  for (const [first, last] of [
    [0, 300],
    [30, 200],
    [63, 64],
    [100, 101],
    [199, 300],
  ])
    expect(await isScarce(records.slice(first, last))).toBe(false);
});

it.each([
  '{holdfast}:i:k:*:t:i',
  '{holdfast}:i:t:i',
  '{holdfast}:i:d:t:i',
  '{holdfast}:i:c:nature',
  '{holdfast}:i:h:*',
])('makes up for any one key that is lost of %s', async (pattern) => {
  const records = await filled(300);
  const [lost = ''] = await keysOf(pattern);
  expect(await redis.client.del(lost)).toBe(1);
  expect(await isScarce(records)).toBe(true);
  expect(await catalog.mendEntries(contents(records))).toBeGreaterThan(0);
  expect(await isScarce(records)).toBe(false);
  expect([...(await catalog.lackingEntries(contents(records)))]).toEqual([]);
  expect(await total()).toBe(300);
});

it('is not misled by entries of records that the page does not show', async () => {
  const page = [...(await filled(100)), ...(await filled(1, 10_000))];
  await filled(200, 5_000);
  await redis.client.del(keys.byType('i'));
  expect(await isScarce(page)).toBe(true);
});

it('walks on where there is more than one script may read', async () => {
  await filled(1_100, 0, { verified: false });
  await redis.client.del(keys.byStatus('s'));
  expect((await catalog.counts()).byStatus.saving).toBe(0);
  expect(await catalog.mendStatuses(never)).toBe(1_100);
  expect((await catalog.counts()).byStatus.saving).toBe(1_100);
});

it('looks at all records, however many', async () => {
  await filled(1_100);
  await redis.client.del([...(await keysOf('{holdfast}:i:t:*')), ...(await keysOf('{holdfast}:i:?:*:t:i'))]);
  expect(await catalog.mendAll(never)).toBe(1_100);
  expect(await total()).toBe(1_100);
  expect(await catalog.mendAll(never)).toBe(0);
});

it('drops the entry of a lost record also where it came back under another date', async () => {
  const [first] = await filled(200);
  const { id } = first ?? aRecord();
  await redis.client.del(keys.record(id));
  await catalog.saveMany(
    [{ record: aRecord({ id, tags: [], createdAt: new Date(start + 1e7).toISOString() }) }],
    null,
  );
  expect(await total()).toBe(201);
  await catalog.mendStatuses(never);
  expect(await total()).toBe(200);
});

it('leaves the entry of a record alone that a newer version has written in a form of its own', async () => {
  const [{ id } = aRecord()] = await filled(3);
  await redis.client.set(keys.record(id), 'something else');
  await catalog.mendStatuses(never);
  expect(await redis.client.zscore(keys.byType('i'), id)).not.toBeNull();
});

it('rebuilds every index, whatever was lost of it or is left in it', async () => {
  const records = await filled(150);
  const tagged = aRecord({ tags: ['sea', 'sun'], category: 'a[b]*', createdAt: '2026-02-01T00:00:00.000Z' });
  const waiting = aRecord({ tags: ['sea'], createdAt: '2026-02-02T00:00:00.000Z' });
  await catalog.saveMany([{ record: tagged }, { record: waiting }], null);
  await catalog.markVerified('fsynced', new Date(), [{ id: tagged.id, revision: 1, attempts: 1 }]);
  const intact = await entriesOfAll();
  const [lost] = records;
  expect(await catalog.rebuildIndexes(never)).toEqual({ added: 0, dropped: 0 });

  for (const index of await keysOf('{holdfast}:i:[tcghs]:*')) {
    const entry = await redis.client.zpopmin(index);
    await redis.client.zadd(index, Number(entry[1]) + 1, 'NOBODY');
  }
  await redis.client.del(keys.record(lost?.id ?? ''));
  const { added, dropped } = await catalog.rebuildIndexes(never);
  expect(added).toBeGreaterThan(3);
  expect(dropped).toBeGreaterThan(5);
  expect(await entriesOfAll()).toEqual(intact.filter((entry) => !entry.endsWith(lost?.id ?? '')));
  expect(await total()).toBe(151);
});

/** `<index> <score> <id>` of every entry, in whichever chunk it is. */
async function entriesOfAll(): Promise<string[]> {
  const entries: string[] = [];
  for (const key of await keysOf('{holdfast}:i:[tcghsk]:*')) {
    const index = key.replace(/:i:k:.*:(?=[tcg]:)/, ':i:');
    const list = await redis.client.zrange(key, 0, '-1', 'WITHSCORES');
    for (let at = 0; at < list.length; at += 2)
      entries.push(`${index} ${String(list[at + 1])} ${String(list[at])}`);
  }
  return entries.toSorted();
}
