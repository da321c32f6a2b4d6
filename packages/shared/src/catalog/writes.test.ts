import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MediaRecord } from '../media/index.js';
import { redisKeys } from '../redis/index.js';
import { aRecord, proofOf, startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createCatalog, type Catalog } from './index.js';

const keys = redisKeys('holdfast');
let redis: RedisSandbox;
let catalog: Catalog;
beforeAll(async () => {
  redis = await startRedisSandbox();
  catalog = createCatalog(redis.client, keys);
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushall());

const variety = (): MediaRecord[] => [
  aRecord({ category: 'Grüße 🌊', tags: ['größer', 'ö'] }),
  aRecord({ category: '', tags: [], resourceType: 'raw' }),
  aRecord({ tags: ['sea', 'sky'], resourceType: 'video', revision: 7, pushedRevision: 7 }),
  aRecord({ checksum: { sha256: null, md5: null }, createdAt: '1970-01-01T00:00:00.000Z' }),
  aRecord({ title: '" \\ \n\u2028', tags: ['a:b', '{x}'] }),
];

/** Everything that Redis holds. */
async function wholeOf({ client }: RedisSandbox): Promise<Record<string, unknown>> {
  const read: Record<string, (key: string) => Promise<unknown>> = {
    zset: (key) => client.zrange(key, 0, '-1', 'WITHSCORES'),
    hash: (key) => client.hgetall(key),
    string: (key) => client.get(key),
  };
  const names = (await client.keys('*')).toSorted();
  const values = await Promise.all(names.map(async (key) => read[await client.type(key)]?.(key)));
  return Object.fromEntries(names.map((key, index) => [key, values[index]]));
}

const asNew = (records: readonly MediaRecord[]) =>
  records.map((record) => ({ record, expect: 'absent' as const }));
describe('save', () => {
  it('returns every field of what was saved', async () => {
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
    const before = await redis.client.info('persistence');
    expect(await catalog.save(record)).toBe('unchanged');
    expect(changesIn(await redis.client.info('persistence'))).toBe(changesIn(before));
  });

  it('never lets an older revision replace a newer one', async () => {
    const record = aRecord();
    const newer = { ...record, revision: 2, title: 'newer', pushedRevision: 2 };
    expect(await catalog.save(newer)).toBe('created');
    expect(await catalog.save(record)).toBe('stale');
    expect((await catalog.find(record.id))?.title).toBe('newer');
  });

  it('leaves the entries of the newest alone where a page holds a record twice', async () => {
    const record = aRecord({ category: 'old', tags: ['a', 'b'] });
    const newer = { ...record, revision: 2, pushedRevision: 2, category: 'new', tags: ['b', 'c'] };
    const page = [{ record }, { record: newer }];
    expect(await catalog.saveMany(page, null)).toEqual(['created', 'updated']);
    expect(await catalog.findWithGaps([record.id])).toMatchObject([{ gaps: 0 }]);
    expect(await redis.client.exists(keys.byTag('a'), keys.byCategory('old'))).toBe(0);
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
    await catalog.markVerified('fsynced', new Date(), [proofOf(record)]);
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
    await catalog.finishDelete(record.id);
    expect(await catalog.save({ ...record, revision: 10 })).toBe('tombstoned');
    expect(await catalog.find(record.id)).toBeNull();
    expect(await redis.client.keys('{holdfast}:index:*')).toEqual([]);
  });

  it('is final where the record came back when Redis was emptied meanwhile', async () => {
    const record = aRecord();
    await catalog.save(record);
    await catalog.beginDelete(record.id);
    await redis.client.flushall();
    await catalog.save(record);
    await catalog.finishDelete(record.id, record.assetId);
    expect(await catalog.find(record.id)).toBeNull();
    expect(await redis.client.keys('{holdfast}:index:*')).toEqual([]);
    expect(await catalog.isTombstoned(`cld-${record.assetId}`)).toBe(true);
    expect(await catalog.save(record)).toBe('tombstoned');
  });

  it('refuses when the record is not the one that was read', async () => {
    const record = aRecord();
    await catalog.save(record);
    expect(await catalog.beginDelete(record.id, { ...record, title: 'before' })).toBe('conflict');
    expect((await catalog.find(record.id))?.status).toBe('saving');
  });
});

describe('a page of new records', () => {
  it('leaves exactly what saving one after the other leaves', async () => {
    const records = variety();
    for (const record of records) expect(await catalog.saveIf(record, 'absent')).toBe('created');
    const oneByOne = await wholeOf(redis);
    await redis.client.flushall();
    expect(await catalog.saveMany(asNew(records), null)).toEqual(records.map(() => 'created'));
    expect(await wholeOf(redis)).toEqual(oneByOne);
  });

  it('has room for many in one index', async () => {
    const records = Array.from({ length: 4_500 }, () => aRecord());
    expect(new Set(await catalog.saveMany(asNew(records), null))).toEqual(new Set(['created']));
    expect((await catalog.counts()).total).toBe(records.length);
    const found = await catalog.findWithGaps(records.map(({ id }) => id));
    expect(found.map(({ gaps }) => gaps)).toEqual(records.map(() => 0));
    const proofs = records.map((record) => proofOf(record));
    expect(await catalog.markVerified('fsynced', new Date(), proofs)).toEqual(records.map(() => 'verified'));
    expect((await catalog.counts()).byStatus).toMatchObject({ verified: records.length, saving: 0 });
  });

  it('leaves alone what is there already, and what was deleted here', async () => {
    const [there, deleted, gone, fresh] = [aRecord(), aRecord(), aRecord(), aRecord()];
    await catalog.save({ ...there, title: 'newer', revision: 2 });
    await catalog.save(deleted);
    await catalog.beginDelete(deleted.id);
    await catalog.save(gone);
    await catalog.beginDelete(gone.id);
    await catalog.finishDelete(gone.id);
    expect(await catalog.saveMany(asNew([there, fresh]), null)).toEqual(['conflict', 'created']);
    expect(await catalog.saveMany(asNew([deleted, aRecord()]), null)).toEqual(['tombstoned', 'created']);
    expect(await catalog.saveMany(asNew([gone, aRecord()]), null)).toEqual(['tombstoned', 'created']);
    expect(await catalog.find(there.id)).toMatchObject({ title: 'newer', revision: 2 });
    expect(await catalog.find(gone.id)).toBeNull();
  });

  it('counts a record that appears twice once', async () => {
    const record = aRecord();
    expect(await catalog.saveMany(asNew([record, record]), null)).toEqual(['created', 'conflict']);
    expect((await catalog.counts()).total).toBe(1);
  });

  it('lists what the host does not carry yet', async () => {
    const record = aRecord({ revision: 3, pushedRevision: 2 });
    await catalog.saveMany(asNew([record, aRecord()]), null);
    expect(await redis.client.zrange('{holdfast}:unpushed', 0, '-1')).toEqual([record.id]);
  });

  it('is refused once the lease has passed on', async () => {
    await redis.client.set('{holdfast}:sync:lease', 'another');
    await expect(catalog.saveMany(asNew([aRecord()]), 'mine')).rejects.toMatchObject({
      code: 'RUN_SUPERSEDED',
    });
    expect((await catalog.counts()).total).toBe(0);
  });
});

it('misses each index entry that a record lacks, and only for that record', async () => {
  const records = variety();
  await catalog.saveMany(asNew(records), null);
  const ids = records.map(({ id }) => id);
  const gaps = async (): Promise<number[]> => (await catalog.findWithGaps(ids)).map((found) => found.gaps);
  for (const key of await redis.client.keys('{holdfast}:index:*')) {
    for (const id of await redis.client.zrange(key, 0, '-1')) {
      const score = (await redis.client.zscore(key, id)) ?? '';
      await redis.client.zrem(key, id);
      expect(await gaps()).toEqual(ids.map((one) => (one === id ? 1 : 0)));
      await redis.client.zadd(key, Number(score) + 1, id);
      expect(await gaps()).toEqual(ids.map((one) => (one === id ? 1 : 0)));
      await redis.client.zadd(key, score, id);
    }
  }
  expect(await gaps()).toEqual(ids.map(() => 0));
});

it('verifies no record that changed since it was read back', async () => {
  const all = [1, 2, 3, 4, 5].map(() => aRecord());
  await catalog.saveMany(asNew(all), null);
  const proofs = all.map((record) => proofOf(record));
  const [one = aRecord(), two = aRecord(), three = aRecord(), four = aRecord()] = all;
  await catalog.save({ ...one, title: 'edited', revision: 2 });
  // A foreign record follows the host without a new revision.
  await catalog.saveIf({ ...two, title: 'followed' }, two);
  await catalog.beginDelete(three.id);
  await redis.client.del(`{holdfast}:m:${four.id}`);
  const before = await wholeOf(redis);
  expect(await catalog.markVerified('fsynced', new Date(), proofs)).toEqual([
    'superseded',
    'superseded',
    'tombstoned',
    'absent',
    'verified',
  ]);
  const after = await wholeOf(redis);
  for (const { id } of all.slice(0, 4))
    expect(after[`{holdfast}:m:${id}`]).toEqual(before[`{holdfast}:m:${id}`]);
});

describe('a verified record', () => {
  it('keeps its level, time and attempts, and loses its intent', async () => {
    const record = aRecord();
    await catalog.save(record);
    await redis.client.zadd('{holdfast}:intents', 1, record.id);
    const when = new Date('2026-01-01T00:00:00.000Z');
    expect(await catalog.markVerified('fsynced', when, [proofOf(record, 2)])).toEqual(['verified']);
    expect(await catalog.find(record.id)).toEqual({
      ...record,
      status: 'verified',
      persistence: { level: 'fsynced', verifiedAt: '2026-01-01T00:00:00.000Z', attempts: 2 },
    });
    expect(await redis.client.exists('{holdfast}:intents')).toBe(0);
    expect((await catalog.counts()).byStatus).toMatchObject({ verified: 1, saving: 0 });
  });

  it('is not marked when the record has moved on to another revision', async () => {
    const record = aRecord();
    await catalog.save({ ...record, revision: 2 });
    expect(await catalog.markVerified('written', new Date(), [proofOf(record)])).toEqual(['superseded']);
    expect((await catalog.find(record.id))?.status).toBe('saving');
  });
});

describe('a merge base', () => {
  const mergeBase = { revision: 2, base: 'abc', over: 1 };
  const baseOf = async (id: string) => (await catalog.findStored([id]))[0]?.mergeBase;

  it('stays with its record through later edits until the host has them all', async () => {
    const record = aRecord();
    await catalog.save(record);
    const [second, third] = [2, 3].map((revision) => ({ ...record, revision, title: String(revision) }));
    if (second === undefined || third === undefined) throw new Error('two edits');
    await catalog.saveIf(second, record, mergeBase);
    await catalog.saveIf(third, second);
    expect(await baseOf(record.id)).toEqual(mergeBase);
    await catalog.markVerified('fsynced', new Date(), [proofOf(third)]);
    await catalog.notePushed(record.id, 2);
    expect(await baseOf(record.id)).toEqual(mergeBase);
    await catalog.notePushed(record.id, 3);
    expect(await baseOf(record.id)).toBeNull();
    expect(await catalog.find(record.id)).toMatchObject({ status: 'verified', pushedRevision: 3 });
  });

  it('gives way to that of a later merge', async () => {
    const record = aRecord();
    await catalog.save(record);
    const second = { ...record, revision: 2, title: 'second' };
    await catalog.saveIf(second, record, mergeBase);
    const later = { revision: 3, base: 'def', over: 1 };
    await catalog.saveIf({ ...second, revision: 3, title: 'third' }, second, later);
    expect(await baseOf(record.id)).toEqual(later);
  });
});

describe('a failure', () => {
  const failure = { attempts: 3, final: false, error: { code: 'HOST_REJECTED', message: 'no' } };

  it('to push an edit is over once the host has it', async () => {
    const record = { ...aRecord(), pushedRevision: 0 };
    await catalog.save(record);
    await catalog.markVerified('fsynced', new Date(), [proofOf(record)]);
    await catalog.noteFailure({ id: record.id, revision: 0, ...failure });
    expect(await catalog.find(record.id)).toMatchObject({
      status: 'verified',
      lastError: { code: 'HOST_REJECTED' },
      persistence: { attempts: 1 },
    });
    await catalog.notePushed(record.id, 1);
    expect(await catalog.find(record.id)).toMatchObject({ status: 'verified', lastError: null });
  });

  it('to save or verify stays until that succeeds', async () => {
    const record = { ...aRecord(), pushedRevision: 0 };
    await catalog.save(record);
    await catalog.noteFailure({ id: record.id, revision: 1, ...failure });
    await catalog.notePushed(record.id, 1);
    expect((await catalog.find(record.id))?.lastError).toMatchObject({ code: 'HOST_REJECTED' });
    await catalog.markVerified('fsynced', new Date(), [proofOf(record, 2)]);
    expect((await catalog.find(record.id))?.lastError).toBeNull();
  });
});

function changesIn(info: string): string | undefined {
  return /rdb_changes_since_last_save:(\d+)/.exec(info)?.[1];
}
