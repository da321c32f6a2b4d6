import { afterAll, beforeAll, expect, it } from 'vitest';
import { aRecord, proofOf, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig } from '../../test/support/sync-rig.js';
import { expectedRecord, verifyRecords } from './verify-records.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

/** A page of saved records, and what verifies it; `crossing` happens after the read-back, before the barrier answers. */
async function openPage(crossing: () => Promise<unknown>) {
  const { parts, catalog, redis } = await openSyncRig(sandbox, 'local');
  const [foreign, other] = [aRecord({ id: 'cld-abc' }), aRecord()];
  await catalog.saveMany(
    [foreign, other].map((record) => ({ record, expect: 'absent' })),
    null,
  );
  const { barrier } = parts;
  let reconnected = 0;
  const confirm = async () => {
    await crossing();
    return barrier.confirm();
  };
  const epoch = () => barrier.epoch() + reconnected;
  const verify = () =>
    verifyRecords(
      [foreign, other].map((record) => expectedRecord(record)),
      { ...parts, catalog, barrier: { confirm, epoch } },
    );
  const reconnect = async () => {
    reconnected += 1;
  };
  return { catalog, parts, redis, foreign, other, verify, reconnect };
}

it('verifies a page that is there as expected', async () => {
  const { verify, catalog, foreign, other } = await openPage(() => Promise.resolve());
  expect(await verify()).toBe(0);
  for (const { id } of [foreign, other])
    expect(await catalog.find(id)).toMatchObject({
      status: 'verified',
      persistence: { level: 'fsynced', attempts: 1 },
    });
});

it('never calls verified what was not read back, though the revision is the same', async () => {
  let change: () => Promise<unknown> = () => Promise.resolve();
  const page = await openPage(() => change());
  const { catalog, foreign, other } = page;
  change = () => catalog.saveIf({ ...foreign, title: 'followed the host' }, foreign);
  expect(await page.verify()).toBe(0);
  expect(await catalog.find(foreign.id)).toMatchObject({ status: 'saving', title: 'followed the host' });
  expect(await catalog.find(other.id)).toMatchObject({ status: 'verified' });
});

it('trusts no barrier over another connection than there was at the read-back', async () => {
  let times = 0;
  let reconnect: () => Promise<void> = () => Promise.resolve();
  const page = await openPage(async () => {
    times -= 1;
    if (times >= 0) await reconnect();
  });
  reconnect = page.reconnect;
  times = 3;
  expect(await page.verify()).toBe(2);
  expect(await page.catalog.find(page.other.id)).toMatchObject({ status: 'saving' });
  times = 2;
  expect(await page.verify()).toBe(0);
  expect(await page.catalog.find(page.other.id)).toMatchObject({ status: 'verified' });
});

it('leaves a record missing that was found missing in between', async () => {
  let change: () => Promise<unknown> = () => Promise.resolve();
  const page = await openPage(() => change());
  const { catalog, other } = page;
  await page.verify();
  change = () => catalog.markMissing([other.id], null);
  expect(await page.verify()).toBe(0);
  expect(await catalog.find(other.id)).toMatchObject({ status: 'missing' });
});

it('adds an index entry that is not there, and verifies then', async () => {
  const { verify, catalog, redis, foreign, other } = await openPage(() => Promise.resolve());
  await redis.zrem('{holdfast}:index:type:i', other.id);
  expect(await verify()).toBe(0);
  expect(await catalog.findWithGaps([foreign.id, other.id])).toMatchObject([{ gaps: 0 }, { gaps: 0 }]);
  expect(await catalog.find(other.id)).toMatchObject({ status: 'verified' });
});

it('counts what is not there, and what is damaged', async () => {
  const { verify, catalog, redis, foreign, other } = await openPage(() => Promise.resolve());
  await redis.del('{holdfast}:m:cld-abc');
  await catalog.saveIf({ ...other, title: 'damaged' }, other);
  expect(await verify()).toBe(2);
  expect(await catalog.find(other.id)).toMatchObject({ status: 'saving' });
  expect(await catalog.find(foreign.id)).toBeNull();
});

it('reads those again that a replica does not have yet, and those alone', async () => {
  const { catalog, parts, foreign, other } = await openPage(() => Promise.resolve());
  const back = aRecord();
  await catalog.saveMany([{ record: back }], null);
  await catalog.markVerified('fsynced', new Date(), [proofOf(back)]);
  await catalog.markMissing([back.id], null);
  const [missing = null] = await catalog.findStored([back.id]);
  await catalog.restore([back.id], null);
  const asked: string[][] = [];
  const readBack: typeof parts.readBack = {
    ...parts.readBack,
    lagMs: 5_000,
    read: async (page) => {
      asked.push([...page]);
      const read = await parts.readBack.read(page);
      // One was not saved yet, another was still missing.
      const behind = [{ stored: null, gaps: 1 }, read[1], { stored: missing, gaps: 0 }];
      return asked.length === 1 ? behind.flatMap((one) => one ?? []) : read;
    },
  };
  const expected = [foreign, other, back].map((record) => expectedRecord(record));
  expect(await verifyRecords(expected, { ...parts, readBack, catalog })).toBe(0);
  expect(asked).toEqual([
    [foreign.id, other.id, back.id],
    [foreign.id, back.id],
  ]);
  for (const { id } of expected) expect(await catalog.find(id)).toMatchObject({ status: 'verified' });
});
