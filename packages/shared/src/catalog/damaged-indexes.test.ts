import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { MediaRecord } from '../media/index.js';
import { redisKeys } from '../redis/index.js';
import { aRecord, startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createCatalog, encodeContent, type Catalog } from './index.js';

let redis: RedisSandbox;
let catalog: Catalog;
beforeAll(async () => {
  redis = await startRedisSandbox(['--appendonly', 'no']);
  catalog = createCatalog(redis.client, redisKeys('holdfast'));
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushall());

const TAG = '{holdfast}:i:g:sea';
const start = Date.parse('2026-01-01T00:00:00.000Z');

async function filled(): Promise<MediaRecord[]> {
  const records = Array.from({ length: 1_000 }, (_, n) =>
    aRecord({ tags: ['sea'], createdAt: new Date(start + n * 250).toISOString() }),
  );
  for (let first = 0; first < records.length; first += 200)
    await catalog.saveMany(
      records.slice(first, first + 200).map((record) => ({ record, expect: 'absent' as const })),
      null,
    );
  return records;
}

/** What a full sync does about entries that are not there. */
async function mend(records: readonly MediaRecord[]): Promise<void> {
  for (let first = 0; first < records.length; first += 100) {
    const page = records.slice(first, first + 100).map((record) => ({
      id: record.id,
      content: encodeContent(record),
    }));
    const lacking = await catalog.lackingEntries(page);
    if (lacking.size > 0) await catalog.reindex([...lacking]);
  }
}

async function listed(): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await catalog.list({
      limit: 100,
      order: 'newest',
      tag: 'sea',
      ...(cursor === undefined ? {} : { cursor }),
    });
    ids.push(...page.items.map(({ id }) => id));
    if (page.nextCursor === null) return ids;
    cursor = page.nextCursor;
  }
}

const someChunk = async (): Promise<string> =>
  (await redis.client.keys('{holdfast}:i:k:*:g:sea')).toSorted()[3] ?? '';

it.each<[string, () => Promise<unknown>]>([
  ['an entry', async () => redis.client.zpopmin(await someChunk())],
  ['a chunk', async () => redis.client.del(await someChunk())],
  ['the first chunk', () => redis.client.del(TAG)],
  ['a boundary', () => redis.client.zremrangebyrank('{holdfast}:i:d:g:sea', 3, 3)],
  ['a directory', () => redis.client.del('{holdfast}:i:d:g:sea')],
  ['the counts', () => redis.client.del('{holdfast}:i:n')],
])('loses nothing for long when %s is lost', async (_name, lose) => {
  const records = await filled();
  await lose();
  await mend(records);
  const newestFirst = records.map(({ id }) => id).toReversed();
  expect(await listed()).toEqual(newestFirst);
  expect((await catalog.list({ limit: 1, order: 'newest', tag: 'sea' })).total).toBe(records.length);
  expect((await catalog.counts()).total).toBe(records.length);
  const more = aRecord({ tags: ['sea'] });
  await catalog.save(more);
  expect((await catalog.list({ limit: 1, order: 'newest', tag: 'sea' })).total).toBe(records.length + 1);
  for (const { id } of [...records, more]) {
    await catalog.beginDelete(id);
    await catalog.finishDelete(id);
  }
  expect((await catalog.counts()).total).toBe(0);
  expect((await catalog.list({ limit: 1, order: 'newest', tag: 'sea' })).total).toBe(0);
});

it('lists a record once that came back under another time', async () => {
  const records = await filled();
  const [lost] = records;
  await redis.client.del(`{holdfast}:m:${lost?.id ?? ''}`);
  await catalog.save({ ...(lost ?? aRecord()), createdAt: new Date(start + 500_000).toISOString() });
  const ids = await listed();
  expect(ids.filter((id) => id === lost?.id)).toHaveLength(1);
  expect(ids).toHaveLength(records.length);
});
