import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createCatalogHost } from '@holdfast/shared/catalog-host';
import { isReadyWithin, connectRedis, closeRedis, type RedisClient } from '@holdfast/shared/redis';
import { silentLogger } from '@holdfast/foundation/logging';
import {
  newMediaId,
  publicIdFor,
  writeHostMetadata,
  type CommitMark,
  type MediaRecord,
} from '@holdfast/shared/media';
import type { AssetRef, HostAsset, MediaHost } from '@holdfast/shared/media-host';
import { HoldfastError } from '@holdfast/foundation/errors';
import { saveJob, verifyJob } from '@holdfast/shared/jobs';
import { aRecord, onePixelPng } from '@holdfast/shared/testing';
import { metadataOf } from './support/metadata-of.js';
import { sweep, sweepIntents } from '../src/watch/sweeps.js';
import { openBench, type Bench } from './support/start-worker.js';

const committed: CommitMark = { state: 'committed' };
const startedMark: CommitMark = { state: 'started', deadlineSeconds: 60 };

let bench: Bench;
let redis: RedisClient;
let emulator: CloudinaryEmulator | undefined;

describe.each(['local', 'cloudinary'] as const)('on the %s host', (kind) => {
  beforeEach(async () => {
    emulator = kind === 'cloudinary' ? await startCloudinaryEmulator() : undefined;
    bench = await openBench(emulator === undefined ? {} : { CLOUDINARY_URL: emulator.cloudinaryUrl });
    redis = connectRedis(bench.settings.redis.connection, 'background', silentLogger);
    await isReadyWithin(redis, 5_000);
  });
  afterEach(async () => {
    await closeRedis(redis);
    await bench.close();
    await emulator?.close();
  });

  const put = async (id: string, mark: CommitMark): Promise<HostAsset> => {
    const { asset } = await bench.host.put({
      ref: refOf(id),
      metadata: writeHostMetadata({ mark, fields: aRecord({ id }) }),
      body: onePixelPng,
      signal: AbortSignal.timeout(5_000),
    });
    return asset;
  };
  const refOf = (id: string): AssetRef => ({ publicId: publicIdFor('holdfast', id), resourceType: 'image' });
  const age = (id: string): Promise<unknown> =>
    bench.sandbox.client.zadd(bench.keys.intents, Date.now() - 31_000, id);
  const open = async (): Promise<string> => {
    const id = newMediaId();
    await bench.intents.open(id, publicIdFor('holdfast', id), 1_000);
    return id;
  };
  const refuse = (id: string, { publicId } = refOf(id)): Promise<void> =>
    bench.intents.refuse(id, { removal: { publicId, inMs: 0 }, acceptance: null });
  const intentsLeft = (): Promise<number> => bench.sandbox.client.zcard(bench.keys.intents);
  const partsOf = (host: Partial<MediaHost> = {}) => ({
    ...bench,
    host: { ...bench.host, ...host },
    redis,
    catalogHost: createCatalogHost(redis, bench.keys),
    folder: 'holdfast',
    log: silentLogger,
  });
  const sweepNow = (host?: Partial<MediaHost>): Promise<void> =>
    sweepIntents(partsOf(host), AbortSignal.timeout(10_000));
  const accepted = async (): Promise<MediaRecord> => {
    const id = await open();
    const record = aRecord({ id });
    await bench.intents.accept({ record });
    await age(id);
    return record;
  };
  const verifyState = (record: MediaRecord, round: number): Promise<string> =>
    bench.queues.queues.verify.getJobState(verifyJob.idFor({ record, round }));

  it('leaves an upload alone whose heart still beats', async () => {
    const id = await open();
    await put(id, startedMark);
    await sweepNow();
    expect(await intentsLeft()).toBe(1);
    expect(await bench.host.find(refOf(id))).not.toBeNull();
  });

  it('forgets an upload of which the host has nothing', async () => {
    await age(await open());
    await sweepNow();
    expect(await intentsLeft()).toBe(0);
  });

  it('removes what a killed upload left on the host without the commit mark', async () => {
    const id = await open();
    await put(id, startedMark);
    await age(id);
    await sweepNow();
    expect(await bench.host.find(refOf(id))).toBeNull();
    expect(await intentsLeft()).toBe(0);
    expect(await bench.catalog.find(id)).toBeNull();
  });

  it('finishes an upload that was cut off after the commit mark', async () => {
    const id = await open();
    const asset = await put(id, committed);
    await age(id);
    await sweepNow();
    expect(await bench.catalog.find(id)).toMatchObject({ status: 'saving', assetId: asset.assetId });
    await bench.startWorker();
    await vi.waitFor(async () => expect((await bench.catalog.find(id))?.status).toBe('verified'));
    expect(await intentsLeft()).toBe(0);
  });

  it('finishes an upload with the commit mark that the host denied at first', async () => {
    const id = await open();
    const asset = await put(id, committed);
    await age(id);
    const isLive = async () => (await redis.hget(bench.keys.intent(id), 'state')) === 'live';
    const find: MediaHost['find'] = async (...of) => ((await isLive()) ? null : bench.host.find(...of));
    await sweepNow({ find });
    expect(await bench.host.find(refOf(id))).not.toBeNull();
    expect(await bench.catalog.find(id)).toMatchObject({ status: 'saving', assetId: asset.assetId });
  });

  it('finishes an upload with the commit mark whose second look failed', async () => {
    const id = await open();
    const asset = await put(id, committed);
    await age(id);
    const isLive = async () => (await redis.hget(bench.keys.intent(id), 'state')) === 'live';
    const find: MediaHost['find'] = async () => {
      if (await isLive()) return null;
      throw new HoldfastError('HOST_TIMEOUT');
    };
    await sweepNow({ find });
    await age(id);
    await sweepNow();
    expect(await bench.host.find(refOf(id))).not.toBeNull();
    expect(await bench.catalog.find(id)).toMatchObject({ status: 'saving', assetId: asset.assetId });
  });

  it('does not bring back an upload that was refused while the sweep looked', async () => {
    const id = await open();
    await put(id, committed);
    await age(id);
    const isLive = async () => (await redis.hget(bench.keys.intent(id), 'state')) === 'live';
    const find: MediaHost['find'] = async (...of) => {
      if (await isLive()) return null;
      const asset = await bench.host.find(...of);
      await bench.intents.refuse(id, { removal: null, acceptance: { claimKey: null } });
      return asset;
    };
    await sweepNow({ find });
    expect(await bench.catalog.find(id)).toBeNull();
  });

  it('never removes an asset that does not carry our mark', async () => {
    const id = await open();
    const ref = refOf(id);
    const metadata = { context: { title: 'theirs' }, tags: [] };
    await bench.host.put({ ref, metadata, body: onePixelPng, signal: AbortSignal.timeout(5_000) });
    await age(id);
    await sweepNow();
    expect(await bench.host.find(ref)).not.toBeNull();
  });

  it('keeps the intent when the host does not answer, and finishes once it does', async () => {
    const id = await open();
    await put(id, startedMark);
    await age(id);
    const down = (): Promise<never> => Promise.reject(new HoldfastError('HOST_TIMEOUT'));
    await sweepNow({ find: down, remove: down });
    expect(await intentsLeft()).toBe(1);
    await age(id);
    await sweepNow({ remove: down });
    expect(await intentsLeft()).toBe(1);
    await age(id);
    await sweepNow();
    expect(await intentsLeft()).toBe(0);
    expect(await bench.host.find(refOf(id))).toBeNull();
  });

  it('adds the jobs of an accepted upload that were never stored, under fresh ids', async () => {
    const record = await accepted();
    await sweepNow();
    expect(await verifyState(record, 1)).toBe('waiting');
  });

  it('verifies an upload whose save job is gone', async () => {
    const record = await accepted();
    await bench.queues.enqueueUpload(record);
    await bench.sandbox.client.lrem('{holdfast}:save:wait', 0, saveJob.idFor({ record, round: 0 }));
    await bench.sandbox.client.del(`{holdfast}:save:${saveJob.idFor({ record, round: 0 })}`);
    await bench.startWorker();
    await vi.waitFor(async () => expect((await bench.catalog.find(record.id))?.status).toBe('verified'));
    expect((await bench.catalog.find(record.id))?.persistence.attempts).toBe(1);
  });

  it('adds jobs again for an upload whose verify job is gone', async () => {
    const record = await accepted();
    await bench.queues.enqueueUpload(record);
    await bench.sandbox.client.lrem('{holdfast}:verify:wait', 0, verifyJob.idFor({ record, round: 0 }));
    await bench.sandbox.client.del(`{holdfast}:verify:${verifyJob.idFor({ record, round: 0 })}`);
    await sweepNow();
    await bench.startWorker();
    await vi.waitFor(async () => expect((await bench.catalog.find(record.id))?.status).toBe('verified'));
    await vi.waitFor(async () => expect(await verifyState(record, 1)).toBe('completed'));
  });

  it('adds nothing for an upload whose jobs only wait for their turn', async () => {
    const record = await accepted();
    await bench.queues.enqueueUpload(record);
    await sweepNow();
    expect(await verifyState(record, 1)).toBe('unknown');
  });

  it('removes a refused upload, unless it was accepted after all or belongs to others', async () => {
    const [gone, kept, foreign] = [newMediaId(), newMediaId(), newMediaId()];
    await put(gone, startedMark);
    await put(kept, committed);
    await bench.catalog.save(aRecord({ id: kept }));
    await bench.host.put({
      ref: refOf(foreign),
      metadata: { context: {}, tags: [] },
      body: onePixelPng,
      signal: AbortSignal.timeout(5_000),
    });
    // For a raw file, and the host took it for an image.
    const typed = newMediaId();
    const typedRef: AssetRef = { publicId: `${publicIdFor('holdfast', typed)}.csv`, resourceType: 'image' };
    await bench.host.put({
      ref: typedRef,
      metadata: writeHostMetadata({ mark: startedMark, fields: aRecord({ id: typed }) }),
      body: onePixelPng,
      signal: AbortSignal.timeout(5_000),
    });
    await refuse(typed, typedRef);
    for (const id of [gone, kept, foreign]) await refuse(id);
    await sweepNow();
    expect(await bench.host.find(refOf(gone))).toBeNull();
    expect(await bench.host.find(typedRef)).toBeNull();
    expect(await bench.host.find(refOf(kept))).not.toBeNull();
    expect(await bench.host.find(refOf(foreign))).not.toBeNull();
    expect(await intentsLeft()).toBe(0);
  });

  it('lets no upload begin under the id of a refused one while it removes that', async () => {
    const id = newMediaId();
    await put(id, startedMark);
    await refuse(id);
    const openings: string[] = [];
    const remove: MediaHost['remove'] = async (...of) => {
      openings.push(await bench.intents.open(id, refOf(id).publicId, 1_000));
      return bench.host.remove(...of);
    };
    await sweepNow({ remove });
    expect(await bench.host.find(refOf(id))).toBeNull();
    expect(openings).toEqual(['overloaded']);
    expect(await bench.intents.open(id, refOf(id).publicId, 1_000)).toBe('opened');
  });

  it('removes the refused uploads that 0.1.0 has noted when they are due, but leaves those that a client tries again', async () => {
    const [retried, removed, later] = [await open(), newMediaId(), newMediaId()];
    for (const id of [retried, removed, later]) {
      await put(id, startedMark);
      const due = Date.now() + (id === later ? 60_000 : 0);
      await redis.zadd(bench.keys.refused, due, `image:${refOf(id).publicId}`);
    }
    await sweep(partsOf(), AbortSignal.timeout(10_000));
    expect(await bench.host.find(refOf(retried))).not.toBeNull();
    expect(await bench.host.find(refOf(removed))).toBeNull();
    expect(await bench.host.find(refOf(later))).not.toBeNull();
    expect(await redis.exists(bench.keys.refused)).toBe(0);
    expect(await bench.intents.findStates([later])).toEqual(new Map([[later, 'refused']]));
    // Half a minute before it is due.
    expect(Number(await redis.zscore(bench.keys.intents, later))).toBeGreaterThan(Date.now() + 15_000);
  });

  it('keeps refused uploads in mind while the catalog belongs to another host', async () => {
    const id = newMediaId();
    await refuse(id);
    await redis.set(bench.keys.host, 'cloudinary:other');
    await sweepNow();
    await age(id);
    await sweepNow();
    expect(await intentsLeft()).toBe(1);
  });

  it('S18: tries again later when a refused upload cannot be removed', async () => {
    const id = newMediaId();
    await put(id, startedMark);
    await refuse(id);
    await sweepNow({ remove: () => Promise.reject(new HoldfastError('HOST_TIMEOUT')) });
    const [, beat] = await redis.zrange(bench.keys.intents, 0, '0', 'WITHSCORES');
    const due = Number(beat) + 30_000;
    // With the time between two looks of the watch that is within a minute.
    expect(due).toBeGreaterThan(Date.now() + 4_000);
    expect(due).toBeLessThanOrEqual(Date.now() + 30_000);
  });

  it('pushes an edit that was left, and finishes a deletion that was left', async () => {
    const { catalog, sandbox, keys, host } = bench;
    const [edited, deleted] = [newMediaId(), newMediaId()];
    for (const id of [edited, deleted]) {
      const { assetId } = await put(id, committed);
      await catalog.save(aRecord({ id, assetId }));
    }
    const record = await catalog.find(edited);
    if (record === null) throw new Error('the record is gone');
    await catalog.saveIf({ ...record, revision: 2, title: 'New', pushedRevision: 1 }, record);
    await catalog.beginDelete(deleted);
    await sandbox.client.zadd(keys.unpushed, Date.now() - 31_000, edited);
    await sandbox.client.zadd(keys.tombstones, Date.now() - 31_000, deleted);
    await bench.startWorker();
    await vi.waitFor(async () => expect((await catalog.find(edited))?.pushedRevision).toBe(2));
    await vi.waitFor(async () => expect(await catalog.find(deleted)).toBeNull());
    const asset = await host.find(refOf(edited));
    const now = await catalog.find(edited);
    expect(asset?.context).toEqual(now === null ? null : metadataOf(now).context);
    expect(await host.find(refOf(deleted))).toBeNull();
  });
});
