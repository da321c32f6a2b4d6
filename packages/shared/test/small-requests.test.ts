import { expect, it, onTestFinished } from 'vitest';
import { createCatalog, encodeContent } from '../src/catalog/index.js';
import { readSettings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import {
  closeRedis,
  connectRedis,
  inRequests,
  isReadyWithin,
  redisKeys,
  redisProfiles,
  type RedisClient,
  type RedisProfile,
} from '../src/redis/index.js';
import { catalogLines, loadLines } from '../src/snapshot/index.js';
import { createSyncState, type DriftItem } from '../src/sync/index.js';
import { aRecord, startManagedRedis } from '../src/testing/index.js';

/** As a service with small limits would have it; what it takes is a little more than what we send. */
const profile: RedisProfile = { ...redisProfiles.standard, requestBytes: 80_000, recordsAtOnce: 10 };
const error = 'ERR max request size exceeded. Limit: 100000 bytes, Actual: 100001 bytes';

async function rent() {
  const managed = await startManagedRedis({ requestBytes: { limit: 100_000, error } });
  onTestFinished(() => managed.close());
  const { connection, prefix } = readSettings({ REDIS_URL: managed.url }).redis;
  const client = connectRedis(connection, 'background', silentLogger, profile);
  onTestFinished(() => closeRedis(client));
  await isReadyWithin(client, 5_000);
  const keys = redisKeys(prefix);
  return { managed, client, keys, catalog: createCatalog(client, keys) };
}

/** As long as their texts may be, and each with fifty tags of its own. */
const largeRecords = (count: number) =>
  Array.from({ length: count }, (_, number) =>
    aRecord({
      description: 'ö'.repeat(2_500),
      tags: Array.from({ length: 50 }, (_tag, tag) => `${String(number)}-${String(tag)}-`.padEnd(40, 'x')),
    }),
  );

const clientWith = (over: Partial<RedisProfile>): RedisClient => {
  const { connection } = readSettings({ REDIS_URL: 'redis://127.0.0.1:1' }).redis;
  const client = connectRedis(connection, 'background', silentLogger, { ...profile, ...over });
  client.disconnect();
  return client;
};

it.each([
  ['all fits', { requestBytes: 100, recordsAtOnce: 9 }, [[10, 20, 30]]],
  ['bytes', { requestBytes: 30, recordsAtOnce: 9 }, [[10, 20], [30]]],
  ['number', { requestBytes: 100, recordsAtOnce: 2 }, [[10, 20], [30]]],
  ['an item is too large', { requestBytes: 15, recordsAtOnce: 9 }, [[10], [20], [30]]],
] as const)('cuts where %s', (_what, over, parts) => {
  expect(inRequests(clientWith(over), [10, 20, 30], (bytes) => bytes)).toEqual(parts);
  expect(inRequests(clientWith(over), [])).toEqual([]);
});

it('writes, reads and proves a page of records that no one command could carry', async () => {
  const { catalog } = await rent();
  const records = largeRecords(60);
  const entries = records.map((record) => ({ record, expect: 'absent' as const }));
  expect(await catalog.saveMany(entries, null)).toEqual(records.map(() => 'created'));
  // Those that are there, and one that is not.
  const more = [...entries, ...largeRecords(1).map((record) => ({ record, expect: 'absent' as const }))];
  expect(await catalog.saveMany(more, null)).toEqual([...records.map(() => 'conflict'), 'created']);
  const renamed = records.map((record) => ({
    record: { ...record, title: 'B', revision: 2 },
    expect: record,
  }));
  expect(await catalog.saveMany(renamed, null)).toEqual(records.map(() => 'updated'));
  const stored = (await catalog.findStored(records.map(({ id }) => id))).filter((one) => one !== null);
  expect(stored.map(({ id }) => id)).toEqual(records.map(({ id }) => id));
  const found = await catalog.findWithGaps(records.map(({ id }) => id));
  expect(found.map(({ gaps }) => gaps)).toEqual(records.map(() => 0));
  const withGaps = await catalog.findWithGaps(records.map(({ id }) => id));
  expect(withGaps).toEqual(stored.map((one) => ({ stored: one, gaps: 0 })));
  expect(await catalog.reindex(records.map(({ id }) => id))).toBe(0);
  const proofs = stored.map(({ id, content }) => ({ id, content, attempts: 1 }));
  expect(await catalog.markVerified('fsynced', new Date(), proofs)).toEqual(records.map(() => 'verified'));
  expect((await catalog.counts()).byStatus).toMatchObject({ verified: 60, saving: 1 });
});

it('restores a snapshot, and notes a report, piece by piece', async () => {
  const { managed, client, keys, catalog } = await rent();
  const records = largeRecords(60);
  await catalog.saveMany(
    records.map((record) => ({ record })),
    null,
  );
  const state = createSyncState(client, keys);
  const lines = records.map(({ id, revision, ...record }) => ({
    kind: 'record' as const,
    id,
    status: 'saving' as const,
    pushedRevision: revision,
    content: encodeContent({ ...record, id, revision }),
    revision,
  }));
  await managed.wipe();
  const token = (await state.begin()).token ?? '';
  expect(await loadLines(client, keys, token, lines)).toEqual(records.map(() => 'created'));
  expect(await loadLines(client, keys, token, lines)).toEqual(records.map(() => 'unchanged'));
  let counted = 0;
  for await (const batch of catalogLines(client, keys, { records: 0, tombstones: 0 }))
    counted += batch.length;
  expect(counted).toBe(60);
  const items = records.map(({ id, publicId, assetId }): DriftItem => ({
    kind: 'different',
    code: 'EDITED_HERE',
    id,
    publicId,
    assetId,
    detail: 'x'.repeat(4_000),
    action: 'left',
  }));
  const running = { run: { runId: 'r', mode: 'full' as const, dryRun: false }, progress: {} };
  expect(await state.noteDrift(token, running, items)).toEqual(items);
  expect(running.progress).toMatchObject({ drift: { different: 60 } });
});
