import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createCatalog, type Catalog } from '../catalog/index.js';
import { readSettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { silentLogger } from '@holdfast/foundation/logging';
import {
  newMediaId,
  readHostMetadata,
  recordFromAsset,
  writeHostMetadata,
  type MediaRecord,
} from '../media/index.js';
import { createMediaHost, type MediaHost } from '../media-host/index.js';
import { redisKeys } from '../redis/index.js';
import { aRecord, startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { pushRecord } from './index.js';

let redis: RedisSandbox;
let folder: string;
let catalog: Catalog;
let host: MediaHost;
beforeAll(async () => {
  redis = await startRedisSandbox();
  folder = await mkdtemp(join(tmpdir(), 'holdfast-push-'));
  catalog = createCatalog(redis.client, redisKeys('holdfast'));
  host = await createMediaHost(readSettings({ DATA_DIR: folder }).host, {
    log: silentLogger,
  });
});
afterAll(async () => {
  await host.close();
  await redis.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => redis.client.flushall());

const settings = readSettings({});
const signal = (): AbortSignal => AbortSignal.timeout(5_000);
const written = (record: MediaRecord) => writeHostMetadata({ mark: { state: 'committed' }, fields: record });

/** A file that is on the host and in the catalog, both at revision 1. */
async function stored(over: Partial<MediaRecord> = {}): Promise<MediaRecord> {
  const id = newMediaId();
  const draft = aRecord({ id, title: 'first', category: 'nature', ...over });
  const ref = { publicId: draft.publicId, resourceType: draft.resourceType };
  const { asset } = await host.put({
    ref,
    metadata: written(draft),
    body: Buffer.from(id),
    signal: signal(),
  });
  const record = recordFromAsset(asset, 'holdfast', 'upload');
  await catalog.save(record);
  return record;
}

async function editHere(record: MediaRecord, over: Partial<MediaRecord>): Promise<MediaRecord> {
  const next = { ...record, ...over, revision: record.revision + 1 };
  expect(await catalog.saveIf(next, record)).toBe('updated');
  return next;
}

/** What a person does in the console of the host: plain names change, our own keys stay. */
async function editThere(record: MediaRecord, context: Record<string, string>): Promise<void> {
  const asset = await host.find(record);
  await host.annotate(record, { context: { ...asset?.context, ...context }, tags: asset?.tags ?? [] });
}

const carriedOf = async (record: MediaRecord) =>
  readHostMetadata((await host.find(record)) ?? { context: {}, tags: [] })?.fields;

it('leaves what others keep beside the bytes', async () => {
  const record = await stored();
  await editThere(record, { copyright: 'ACME', alt: 'A red shoe' });
  await editHere(record, { title: 'second' });
  await pushRecord({ catalog, host, settings }, record.id, signal());
  const context = (await host.find(record))?.context;
  expect(context).toMatchObject({ copyright: 'ACME', alt: 'A red shoe', title: 'second' });
});

it('writes the edit to the host and notes that the host has it', async () => {
  const record = await stored();
  await editHere(record, { title: 'second' });
  expect(await pushRecord({ catalog, host, settings }, record.id, signal())).toEqual({
    outcome: 'pushed',
    joined: null,
  });
  expect(await carriedOf(record)).toMatchObject({ title: 'second', revision: 2 });
  expect((await catalog.find(record.id))?.pushedRevision).toBe(2);
  expect(await redis.client.exists('{holdfast}:unpushed')).toBe(0);
});

it('joins edits of different fields on both sides into one more revision', async () => {
  const record = await stored();
  await editHere(record, { title: 'ours' });
  await editThere(record, { category: 'theirs' });
  const { outcome, joined } = await pushRecord({ catalog, host, settings }, record.id, signal());
  expect(outcome).toBe('pushed');
  expect(joined).toMatchObject({ title: 'ours', category: 'theirs', revision: 3 });
  expect(await carriedOf(record)).toMatchObject({ title: 'ours', category: 'theirs', revision: 3 });
  expect(await catalog.find(record.id)).toMatchObject({
    title: 'ours',
    category: 'theirs',
    revision: 3,
    pushedRevision: 3,
  });
});

it('keeps the edit here where both sides changed one field', async () => {
  const record = await stored();
  await editHere(record, { title: 'ours' });
  await editThere(record, { title: 'theirs' });
  expect(await pushRecord({ catalog, host, settings }, record.id, signal())).toEqual({
    outcome: 'pushed',
    joined: null,
  });
  expect(await carriedOf(record)).toMatchObject({ title: 'ours', revision: 2 });
});

it('merges the next edit on the host, even of a field that it has just merged', async () => {
  const record = await stored();
  await editHere(record, { title: 'ours' });
  await editThere(record, { category: 'theirs' });
  const away: Pick<MediaHost, 'find' | 'annotate'> = {
    find: (...of) => host.find(...of),
    annotate: () => Promise.reject(new HoldfastError('HOST_TIMEOUT')),
  };
  await expect(pushRecord({ catalog, host: away, settings }, record.id, signal())).rejects.toMatchObject({
    code: 'HOST_TIMEOUT',
  });
  expect(await catalog.find(record.id)).toMatchObject({ title: 'ours', category: 'theirs', revision: 3 });
  await editThere(record, { category: 'theirs again', title: 'too late' });
  expect(await pushRecord({ catalog, host, settings }, record.id, signal())).toMatchObject({
    outcome: 'pushed',
  });
  const last = { title: 'ours', category: 'theirs again', revision: 4 };
  expect(await carriedOf(record)).toMatchObject(last);
  expect(await catalog.find(record.id)).toMatchObject({ ...last, pushedRevision: 4 });
  expect(await redis.client.keys('*taken*')).toEqual([]);
});

it('never writes an older revision over a newer one', async () => {
  const record = await stored();
  await editHere(record, { title: 'older' });
  await host.annotate(record, written({ ...record, title: 'newest', revision: 7 }));
  expect(await pushRecord({ catalog, host, settings }, record.id, signal())).toEqual({
    outcome: 'overtaken',
    joined: await catalog.find(record.id),
  });
  for (const newest of [await carriedOf(record), await catalog.find(record.id)])
    expect(newest).toMatchObject({ title: 'newest', revision: 7 });
});

it('writes again when its own late write landed on a newer one', async () => {
  const record = await stored();
  const second = await editHere(record, { title: 'second' });
  let overtaken = false;
  const late: Pick<MediaHost, 'find' | 'annotate'> = {
    find: (...of) => host.find(...of),
    annotate: async (...of) => {
      if (!overtaken) {
        overtaken = true;
        // Another push of a newer edit begins and ends while this write is on its way.
        await editHere(second, { title: 'third' });
        await pushRecord({ catalog, host, settings }, record.id, signal());
      }
      return host.annotate(...of);
    },
  };
  await pushRecord({ catalog, host: late, settings }, record.id, signal());
  expect(await carriedOf(record)).toMatchObject({ title: 'third', revision: 3 });
});

it('undoes no edit of the host that another process merges while it is on its way', async () => {
  const record = await stored();
  await editHere(record, { title: 'ours' });
  const find: MediaHost['find'] = (...of) => host.find(...of);
  const stuck = { find, annotate: () => Promise.reject(new HoldfastError('HOST_TIMEOUT')) };
  let takenIn: MediaRecord | null = null;
  const slow: Pick<MediaHost, 'find' | 'annotate'> = {
    find,
    annotate: async (...of) => {
      if (takenIn === null) {
        // By another push, which comes no further. This one writes the revision from before it.
        await editThere(record, { category: 'theirs' });
        await pushRecord({ catalog, host: stuck, settings }, record.id, signal()).catch(() => undefined);
        takenIn = await catalog.find(record.id);
      }
      return host.annotate(...of);
    },
  };
  await pushRecord({ catalog, host: slow, settings }, record.id, signal());
  const merged = { title: 'ours', category: 'theirs', revision: 3 };
  expect(takenIn).toMatchObject(merged);
  expect(await catalog.find(record.id)).toMatchObject({ ...merged, pushedRevision: 3 });
  expect(await carriedOf(record)).toMatchObject(merged);
});

it('does nothing for what is pushed, deleted or gone, and says when the asset is missing', async () => {
  const record = await stored();
  expect(await pushRecord({ catalog, host, settings }, record.id, signal())).toEqual({
    outcome: 'nothing',
    joined: null,
  });
  expect(await pushRecord({ catalog, host, settings }, newMediaId(), signal())).toEqual({
    outcome: 'gone',
    joined: null,
  });
  await editHere(record, { title: 'second' });
  await host.remove(record);
  expect(await pushRecord({ catalog, host, settings }, record.id, signal())).toEqual({
    outcome: 'missing',
    joined: null,
  });
  await catalog.beginDelete(record.id);
  expect(await pushRecord({ catalog, host, settings }, record.id, signal())).toEqual({
    outcome: 'nothing',
    joined: null,
  });
});

it('keeps the claim of the upload on the asset', async () => {
  const claim = { key: 'ab'.repeat(16), fingerprint: 'cd'.repeat(16) };
  const record = await stored();
  await host.annotate(
    record,
    writeHostMetadata({ mark: { state: 'committed' }, fields: record, claim }),
    signal(),
  );
  await catalog.saveIf({ ...record, title: 'second', revision: 2 }, record);
  expect(await pushRecord({ catalog, host, settings }, record.id, signal())).toMatchObject({
    outcome: 'pushed',
  });
  const asset = await host.find(record, signal());
  expect(asset === null ? null : readHostMetadata(asset)).toMatchObject({
    claim,
    fields: { title: 'second' },
  });
});
