import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createCatalog, type Catalog } from '../catalog/index.js';
import { redisKeys } from '../redis/index.js';
import { aRecord, startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createIntents, type Intents } from './index.js';

let redis: RedisSandbox;
let intents: Intents;
let catalog: Catalog;
beforeAll(async () => {
  redis = await startRedisSandbox();
  intents = createIntents(redis.client, redisKeys('holdfast'));
  catalog = createCatalog(redis.client, redisKeys('holdfast'));
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushall());

const makeStale = (id: string): Promise<unknown> => redis.client.zadd('{holdfast}:intents', 1, id);

it('puts the record into the catalog in the step that settles the intent', async () => {
  const record = aRecord();
  expect(await intents.open(record.id, record.publicId, 10)).toBe('opened');
  expect(await intents.accept({ record })).toBe('accepted');
  expect(await catalog.find(record.id)).toEqual(record);
  expect(await intents.beat([record.id])).toEqual(['settled']);
});

it('does not accept an upload that the sweep has given up', async () => {
  const record = aRecord();
  await intents.open(record.id, record.publicId, 10);
  expect(await intents.kill(record.id)).toBe('live');
  await makeStale(record.id);
  expect(await intents.kill(record.id)).toBe('dead');
  expect(await intents.beat([record.id])).toEqual(['dead']);
  expect(await intents.accept({ record })).toBe('dead');
  expect(await intents.accept({ record, committed: true })).toBe('dead');
  expect(await catalog.find(record.id)).toBeNull();
});

it('does not give up an upload that was accepted', async () => {
  const record = aRecord();
  await intents.open(record.id, record.publicId, 10);
  await intents.accept({ record });
  await makeStale(record.id);
  expect(await intents.kill(record.id)).toBe('settled');
});

it('accepts without an intent only what carries the commit mark', async () => {
  const record = aRecord();
  expect(await intents.accept({ record })).toBe('dead');
  expect(await intents.accept({ record, committed: true })).toBe('accepted');
});

it('accepts an upload whose intent was wiped when a sync has put its record into the catalog', async () => {
  const record = aRecord();
  await catalog.save(record);
  expect(await intents.accept({ record })).toBe('accepted');
  expect(await intents.beat([record.id])).toEqual(['settled']);
});

it('lists what had no heartbeat for long and counts the tries of what is settled', async () => {
  const record = aRecord();
  await intents.open(record.id, record.publicId, 10);
  expect(await intents.stale(10)).toEqual([]);
  await intents.accept({ record });
  await makeStale(record.id);
  expect(await intents.stale(10)).toEqual([
    { id: record.id, state: 'settled', publicId: record.publicId, tries: 0 },
  ]);
  expect(await intents.retry(record.id)).toBe(1);
  expect(await intents.stale(10)).toEqual([]);
});

it('reverts an acceptance whose answer was lost, with its index entries, and refuses a late one', async () => {
  const [heard, late] = [aRecord({ category: 'sea', tags: ['a'] }), aRecord()];
  for (const { id, publicId } of [heard, late]) await intents.open(id, publicId, 10);
  await intents.accept({ record: heard });
  for (const { id } of [heard, late])
    await intents.refuse(id, { removal: null, acceptance: { claimKey: null } });
  expect(await intents.accept({ record: late, committed: true })).toBe('dead');
  expect(await intents.accept({ record: heard, committed: true })).toBe('dead');
  expect(await intents.stale(10, 0)).toEqual([]);
  // Only the dead intents are left, for a minute, and the tombstone: a save or a sync must not bring it back either.
  for (const { id } of [heard, late])
    expect(await redis.client.pttl(`{holdfast}:intent:${id}`)).toBeGreaterThan(0);
  expect(await catalog.save(heard)).toBe('tombstoned');
  expect(await catalog.counts()).toMatchObject({ total: 0 });
  expect((await redis.client.keys('{holdfast}:i:*')).toSorted()).toEqual([]);
});

it('refuses to open when too many jobs wait', async () => {
  await redis.client.rpush('{holdfast}:save:wait', 'a', 'b', 'c');
  expect(await intents.open(aRecord().id, 'x', 2)).toBe('overloaded');
  expect(await redis.client.exists('{holdfast}:intents')).toBe(0);
});

it('says QUEUE_UNAVAILABLE while Redis is away, and works again when it is back', async () => {
  await redis.kill();
  const away = createIntents(
    redis.client.duplicate({ enableOfflineQueue: false, maxRetriesPerRequest: 0, lazyConnect: true }),
    redisKeys('holdfast'),
  );
  await expect(away.open(aRecord().id, 'x', 1)).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
  await redis.restart();
  expect(await intents.open(aRecord().id, 'x', 1)).toBe('opened');
});

it('shows a refused upload when its removal is due, and lets none begin or be accepted under its id until then', async () => {
  const record = aRecord();
  const { id, publicId } = record;
  await intents.open(id, 'holdfast/other', 10);
  await intents.refuse(id, { removal: { publicId, inMs: 5_000 }, acceptance: null });
  expect(await intents.stale(10)).toEqual([]);
  expect(await intents.findStates([id, aRecord().id])).toEqual(new Map([[id, 'refused']]));
  expect(await intents.open(id, publicId, 10)).toBe('overloaded');
  expect(await intents.accept({ record, committed: true })).toBe('dead');
  expect(await intents.beat([id])).toEqual(['dead']);
  await intents.refuse(id, { removal: { publicId, inMs: 0 }, acceptance: null });
  expect(await intents.stale(10)).toEqual([{ id, state: 'dead', publicId, tries: 0 }]);
  expect(await intents.revive(id)).toBe('dead');
  await intents.postpone(id, 5_000);
  expect(await intents.stale(10)).toEqual([]);
  await intents.drop(id);
  expect(await intents.open(id, publicId, 10)).toBe('opened');
});

it('remembers the removal of an upload that may have been accepted for longer than an acceptance may be late', async () => {
  const record = aRecord();
  const { id, publicId } = record;
  await intents.open(id, publicId, 10);
  await intents.accept({ record });
  const removal = { publicId, inMs: 0 };
  await intents.refuse(id, { removal: null, acceptance: { claimKey: null } });
  await intents.refuse(id, { removal, acceptance: { claimKey: null } });
  expect(await redis.client.pttl(`{holdfast}:intent:${id}`)).toBe(-1);
  expect(await intents.stale(10)).toMatchObject([{ id, state: 'dead' }]);
  expect(await catalog.find(id)).toBeNull();
});
