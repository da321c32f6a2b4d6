import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newMediaId, type MediaRecord } from '../media/index.js';
import { redisKeys } from '../redis/index.js';
import { aRecord, startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createCatalog, type Catalog } from './index.js';

let redis: RedisSandbox;
let catalog: Catalog;
beforeAll(async () => {
  redis = await startRedisSandbox();
  catalog = createCatalog(redis.client, redisKeys('holdfast'));
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushall());

const at = (ms: number): string => new Date(1_700_000_000_000 + ms).toISOString();

describe('save', () => {
  it('gives back every field of what was saved', async () => {
    const record = aRecord({
      title: 'a\n"b"\u0001 🌊',
      tags: ['x', 'ÿ'],
      checksum: { sha256: null, md5: null },
      format: null,
      width: null,
      durationSeconds: 1.25,
      publicId: 'others/$1.zip',
      url: 'https://example.com/others/$1.zip',
    });
    expect(await catalog.save(record)).toBe('created');
    expect(await catalog.find(record.id)).toEqual(record);
  });

  it('writes nothing the second time', async () => {
    const record = aRecord();
    await catalog.save(record);
    const before = await redis.client.info('replication');
    expect(await catalog.save(record)).toBe('unchanged');
    expect(offset(await redis.client.info('replication'))).toBe(offset(before));
  });

  it('never lets an older revision replace a newer one', async () => {
    const record = aRecord();
    const newer = { ...record, revision: 2, title: 'newer', pushedRevision: 2 };
    expect(await catalog.save(newer)).toBe('created');
    expect(await catalog.save(record)).toBe('stale');
    expect((await catalog.find(record.id))?.title).toBe('newer');
  });

  it('refuses other content under the same revision unless the caller has read what is there', async () => {
    const record = aRecord();
    await catalog.save(record);
    const edited = { ...record, title: 'edited on the host' };
    expect(await catalog.save(edited)).toBe('differs');
    expect(await catalog.saveIf(edited, record)).toBe('updated');
    expect(await catalog.saveIf({ ...record, revision: 2 }, record)).toBe('conflict');
    expect(await catalog.saveIf({ ...edited, revision: 3 }, { ...edited, revision: 2 })).toBe('conflict');
  });

  it('refuses what was decided before the host lost the asset', async () => {
    const record = aRecord();
    await catalog.save(record);
    await catalog.markVerified('fsynced', new Date(), [{ id: record.id, revision: 1, attempts: 1 }]);
    await catalog.markMissing([record.id], null);
    expect(await catalog.saveIf({ ...record, title: 'edited', revision: 2 }, record)).toBe('conflict');
    expect((await catalog.find(record.id))?.status).toBe('missing');
  });

  it('moves a record between its indexes when it changes', async () => {
    const record = aRecord();
    await catalog.save(record);
    await catalog.save({ ...record, revision: 2, category: 'city', tags: ['street'] });
    const byOld = await catalog.list({ limit: 10, order: 'newest', category: 'nature' });
    const byNew = await catalog.list({ limit: 10, order: 'newest', tag: 'street' });
    expect(byOld).toMatchObject({ items: [], total: 0 });
    expect(byNew.items.map((item) => item.id)).toEqual([record.id]);
    expect(await catalog.findWithGaps([record.id])).toMatchObject([{ gaps: 0 }]);
  });

  it('refuses the write of a sync whose lease has passed on', async () => {
    await redis.client.set('{holdfast}:sync:lease', 'another-run');
    await expect(catalog.saveMany([{ record: aRecord() }], 'my-run')).rejects.toMatchObject({
      code: 'RUN_SUPERSEDED',
    });
    expect((await catalog.counts()).total).toBe(0);
  });
});

describe('delete', () => {
  it('keeps the id from ever coming back', async () => {
    const record = aRecord();
    await catalog.save(record);
    expect(await catalog.beginDelete(record.id)).toBe('deleting');
    expect((await catalog.find(record.id))?.status).toBe('deleting');
    expect(await catalog.save({ ...record, revision: 9 })).toBe('tombstoned');
    expect(await catalog.finishDelete(record.id)).toBe('deleted');
    expect(await catalog.save({ ...record, revision: 10 })).toBe('tombstoned');
    expect(await catalog.find(record.id)).toBeNull();
    expect(await redis.client.keys('{holdfast}:index:*')).toEqual([]);
  });

  it('refuses when the record is not the one that was read', async () => {
    const record = aRecord();
    await catalog.save(record);
    expect(await catalog.beginDelete(record.id, { ...record, title: 'before' })).toBe('conflict');
    expect((await catalog.find(record.id))?.status).toBe('saving');
  });
});

describe('list', () => {
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
    await catalog.markVerified('fsynced', new Date(), [{ id: first?.id ?? '', revision: 1, attempts: 1 }]);
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

it('forgets what was taken in once the host has that revision, and not what came for a later one', async () => {
  await catalog.noteMergeBases([{ id: 'a', revision: 12, base: 'x', over: 11 }]);
  await catalog.forgetMergeBase('a', 9);
  expect((await catalog.findMergeBases(['a'])).get('a')).toEqual({ revision: 12, base: 'x', over: 11 });
  await catalog.forgetMergeBase('a', 12);
  await catalog.forgetMergeBase('a', 12);
  expect(await catalog.findMergeBases(['a'])).toEqual(new Map());
});

it('never takes what was taken in for a later revision back to an earlier one, however late that is noted', async () => {
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

it('costs less than 1,400 bytes a record with a description, a category and three tags, indexes included', async () => {
  const used = async (): Promise<number> =>
    Number(/used_memory:(\d+)/.exec(await redis.client.info('memory'))?.[1]);
  const before = await used();
  const count = 10_000;
  for (let start = 0; start < count; start += 500) {
    const page = Array.from({ length: 500 }, (_unused, index) => {
      const n = start + index;
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
      page.map(({ record }) => ({ id: record.id, revision: 1, attempts: 1 })),
    );
  }
  expect(((await used()) - before) / count).toBeLessThan(1_400);
});

function offset(info: string): string | undefined {
  return /master_repl_offset:(\d+)/.exec(info)?.[1];
}
