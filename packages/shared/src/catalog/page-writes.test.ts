import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MediaRecord } from '../media/index.js';
import { redisKeys } from '../redis/index.js';
import { aRecord, startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createCatalog, type Catalog, type StoredRecord } from './index.js';
import { encodeContent } from './record-codec.js';

let redis: RedisSandbox;
let catalog: Catalog;
beforeAll(async () => {
  redis = await startRedisSandbox();
  catalog = createCatalog(redis.client, redisKeys('holdfast'));
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
  const keys = (await client.keys('*')).toSorted();
  const values = await Promise.all(keys.map(async (key) => read[await client.type(key)]?.(key)));
  return Object.fromEntries(keys.map((key, index) => [key, values[index]]));
}

const asNew = (records: readonly MediaRecord[]) =>
  records.map((record) => ({ record, expect: 'absent' as const }));
const expected = (records: readonly MediaRecord[]) =>
  records.map((record) => ({ id: record.id, content: encodeContent(record) }));

async function storedOf(records: readonly MediaRecord[]): Promise<StoredRecord[]> {
  return (await catalog.findStored(records.map(({ id }) => id))).filter((one) => one !== null);
}

describe('a page of new records', () => {
  it('leaves exactly what saving one after the other leaves', async () => {
    const records = variety();
    for (const record of records) expect(await catalog.saveIf(record, 'absent')).toBe('created');
    const oneByOne = await wholeOf(redis);
    await redis.client.flushall();
    await redis.client.config('RESETSTAT');
    expect(await catalog.saveMany(asNew(records), null)).toEqual(records.map(() => 'created'));
    expect(await redis.client.info('commandstats')).not.toMatch(/cmdstat_get:/);
    expect(await wholeOf(redis)).toEqual(oneByOne);
  });

  it('has room for many in one index', async () => {
    const records = Array.from({ length: 4_500 }, () => aRecord());
    expect(new Set(await catalog.saveMany(asNew(records), null))).toEqual(new Set(['created']));
    expect((await catalog.counts()).total).toBe(records.length);
    const found = await catalog.findWithGaps(records.map(({ id }) => id));
    expect(found.map(({ gaps }) => gaps)).toEqual(records.map(() => 0));
    expect(await catalog.lackingEntries(expected(records))).toEqual(new Set());
    expect(await catalog.markProven('fsynced', new Date(), await storedOf(records))).toEqual(
      records.map(() => true),
    );
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

describe('the index entries of a page', () => {
  it('are missed in every index, and only for the record that lacks one', async () => {
    const records = variety();
    await catalog.saveMany(asNew(records), null);
    for (const record of records) {
      const of = (key: string): boolean => !key.includes(':i:s:');
      for (const key of (await redis.client.keys('{holdfast}:i:*')).filter(of)) {
        const member = (await redis.client.zrange(key, 0, '-1')).find((one) => one.includes(record.id));
        if (member === undefined) continue;
        const score = await redis.client.zscore(key, member);
        await redis.client.zrem(key, member);
        expect(await catalog.lackingEntries(expected(records))).toEqual(new Set([record.id]));
        await redis.client.zadd(key, score ?? 0, member);
      }
    }
    expect(await catalog.lackingEntries(expected(records))).toEqual(new Set());
  });
});

describe('a proven record', () => {
  it('is what markVerified would make of it', async () => {
    const records = variety();
    const when = new Date('2026-01-01T00:00:00.000Z');
    const begin = async (): Promise<void> => {
      await redis.client.flushall();
      await catalog.saveMany(asNew(records), null);
      for (const { id } of records) {
        await redis.client.zadd('{holdfast}:intents', 1, id);
        await redis.client.set(`{holdfast}:intent:${id}`, 'x');
      }
      const [failed] = records;
      const error = { code: 'INTERNAL', message: 'x' };
      await catalog.noteFailure({ id: failed?.id ?? '', revision: 0, attempts: 3, final: true, error });
    };
    await begin();
    const entries = records.map(({ id, revision }) => ({ id, revision, attempts: 1 }));
    await catalog.markVerified('replicated', when, entries);
    const marked = await wholeOf(redis);
    await begin();
    const proofs = await storedOf(records);
    expect(await catalog.markProven('replicated', when, proofs)).toEqual(records.map(() => true));
    expect(await wholeOf(redis)).toEqual(marked);
  });

  it('is not verified when anything of it changed since it was read back', async () => {
    const [edited, followed, deleted, lost, same] = [1, 2, 3, 4, 5].map(() => aRecord());
    const all = [edited, followed, deleted, lost, same].filter((record) => record !== undefined);
    await catalog.saveMany(asNew(all), null);
    const proofs = await storedOf(all);
    const [one = aRecord(), two = aRecord(), three = aRecord(), four = aRecord()] = all;
    await catalog.save({ ...one, title: 'edited', revision: 2 });
    // A foreign record follows the host without a new revision.
    await catalog.saveIf({ ...two, title: 'followed' }, two);
    await catalog.beginDelete(three.id);
    await redis.client.del(`{holdfast}:m:${four.id}`);
    const before = await wholeOf(redis);
    expect(await catalog.markProven('fsynced', new Date(), proofs)).toEqual([
      false,
      false,
      false,
      false,
      true,
    ]);
    const after = await wholeOf(redis);
    for (const { id } of all.slice(0, 4))
      expect(after[`{holdfast}:m:${id}`]).toEqual(before[`{holdfast}:m:${id}`]);
  });
});
