import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { MediaRecord } from '@holdfast/shared/media';
import type { HostAsset, MediaHost } from '@holdfast/shared/media-host';
import { pushRecord } from '@holdfast/shared/push';
import { removeRecord } from '@holdfast/shared/removal';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';

/** Assets that were renamed on the host, with no notification. */
type Rig = SyncRig & { emulator: CloudinaryEmulator };

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const signal = (): AbortSignal => AbortSignal.timeout(5_000);

async function openRig(env: Record<string, string> = {}): Promise<Rig> {
  const rig = await openSyncRig(sandbox, 'cloudinary', { env });
  if (rig.emulator === undefined) throw new Error('no emulator');
  return { ...rig, emulator: rig.emulator };
}

async function synced(rig: Rig, title: string): Promise<[HostAsset, MediaRecord]> {
  const asset = await rig.upload({ title });
  await rig.sync();
  const record = await rig.find(asset);
  if (record === null) throw new Error('the asset was not adopted');
  return [asset, record];
}

const onHost = (rig: Rig, { assetId }: Pick<HostAsset, 'assetId'>) => rig.emulator.assets.byAssetId(assetId);

async function swapNames(rig: Rig, one: HostAsset, other: HostAsset): Promise<void> {
  const { assets } = rig.emulator;
  await assets.rename(one.assetId, 'on-the-way');
  await assets.rename(other.assetId, one.publicId);
  await assets.rename(one.assetId, other.publicId);
}

async function remove(rig: Rig, record: MediaRecord, host = rig.host) {
  await rig.catalog.beginDelete(record.id);
  return removeRecord({ ...rig, host }, record, signal());
}

/** Has too few calls left to be asked by asset id. */
const thrifty = ({ host }: Rig): MediaHost => ({
  ...host,
  budget: () => ({ limit: 500, remaining: 200, resetAt: new Date().toISOString(), heardAt: Date.now() }),
});

/** Does not say where an asset is. */
const silent = ({ host }: Rig): MediaHost => ({
  ...host,
  confirm: () => Promise.reject(new HoldfastError('HOST_RATE_LIMITED')),
});

async function edit(rig: Rig, record: MediaRecord, title: string): Promise<MediaRecord> {
  const edited = { ...record, title, revision: record.revision + 1 };
  expect(await rig.catalog.saveIf(edited, record)).toBe('updated');
  return edited;
}

describe('a delete', () => {
  it('stays one for a sync that has listed the asset under its new name', async () => {
    const rig = await openRig();
    const [asset, record] = await synced(rig, 'doomed');
    await rig.emulator.assets.rename(asset.assetId, 'new-name');
    const ends: string[] = [];
    const list: MediaHost['list'] = async (request) => {
      const page = await rig.host.list(request);
      if (page.assets.length > 0) ends.push(await remove(rig, record));
      return page;
    };
    await rig.worker({ host: { ...rig.host, list } })({ mode: 'full' });
    expect(ends).toEqual(['removed']);
    expect(await onHost(rig, asset)).toBeNull();
    expect(await rig.records()).toEqual([]);
  });

  it('never picks the asset that has the name by now, and finds the one that was meant', async () => {
    const rig = await openRig();
    const [doomed, record] = await synced(rig, 'doomed');
    const [other, kept] = await synced(rig, 'kept');
    await swapNames(rig, doomed, other);
    expect(await remove(rig, record, thrifty(rig))).toBe('elsewhere');
    expect(await onHost(rig, other)).not.toBeNull();
    expect(await rig.sync()).toMatchObject({ created: 0, removed: 1, errors: 0 });
    expect(await onHost(rig, doomed)).toBeNull();
    expect((await rig.records()).map(({ id, title }) => [id, title])).toEqual([[kept.id, 'kept']]);
  });

  it('picks the asset where it is by now, and not the one that has its name', async () => {
    const rig = await openRig();
    const [doomed, record] = await synced(rig, 'doomed');
    const [other] = await synced(rig, 'kept');
    await swapNames(rig, doomed, other);
    expect(await remove(rig, record)).toBe('removed');
    expect(await onHost(rig, doomed)).toBeNull();
    expect(await onHost(rig, other)).not.toBeNull();
    expect(await rig.sync()).toMatchObject({ created: 0, removed: 0, errors: 0 });
  });

  it('stays one where the asset had been renamed, and a copy of the asset counts as what it is', async () => {
    const rig = await openRig();
    const [asset, record] = await synced(rig, 'doomed');
    await rig.emulator.assets.rename(asset.assetId, 'elsewhere/a');
    const copy = await rig.foreign('elsewhere/copy', asset.context);
    expect(await remove(rig, record, thrifty(rig))).toBe('elsewhere');
    expect(await rig.sync()).toMatchObject({ created: 1, removed: 1 });
    expect(await onHost(rig, asset)).toBeNull();
    expect((await rig.records()).map(({ assetId }) => assetId)).toEqual([copy.assetId]);
  });

  it('stays one where the asset had been renamed, also when Redis is emptied before a sync meets it', async () => {
    const rig = await openRig({ CATALOG_SNAPSHOT: 'true' });
    const [asset, record] = await synced(rig, 'doomed');
    await rig.emulator.assets.rename(asset.assetId, 'elsewhere/a');
    expect(await remove(rig, record, thrifty(rig))).toBe('elsewhere');
    await rig.redis.flushall();
    expect(await rig.sync({ trigger: 'recovery', mode: 'full' })).toMatchObject({ created: 0, removed: 1 });
    expect(await onHost(rig, asset)).toBeNull();
    expect(await rig.records()).toEqual([]);
  });

  it('of a foreign asset is not done before the host says where it is by now', async () => {
    const rig = await openRig();
    const asset = await rig.foreign('others/a');
    await rig.sync();
    await rig.emulator.assets.rename(asset.assetId, 'others/b');
    const record = rig.recordOf(asset);
    await expect(remove(rig, record, silent(rig))).rejects.toMatchObject({ code: 'HOST_RATE_LIMITED' });
    expect(await rig.sync()).toMatchObject({ created: 0, removed: 0 });
    expect((await rig.records()).map(({ status }) => status)).toEqual(['deleting']);
    expect(await remove(rig, record, thrifty(rig))).toBe('removed');
    expect(await onHost(rig, asset)).toBeNull();
    expect(await rig.records()).toEqual([]);
  });

  it('is not done where the host shows the asset and denies it when it is to go', async () => {
    const rig = await openRig();
    const foreign = await rig.foreign('others/a');
    const own = await rig.upload();
    await rig.sync();
    for (const asset of [foreign, own]) {
      const record = await rig.find(asset);
      if (record === null) throw new Error('the asset was not adopted');
      await rig.emulator.faults.add({
        kind: 'garbage',
        body: '{"result":"not found"}',
        effect: 'none',
        match: { endpoint: 'destroy' },
      });
      await expect(remove(rig, record)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
      expect((await rig.find(asset))?.status).toBe('deleting');
      expect(await remove(rig, record)).toBe('removed');
      expect(await onHost(rig, asset)).toBeNull();
    }
  });

  it('is tried again where the asset is renamed between the look and the removal', async () => {
    const rig = await openRig();
    const asset = await rig.foreign('others/a');
    await rig.sync();
    let renamed = 0;
    const removeThere: MediaHost['remove'] = async (...of) => {
      renamed += 1;
      if (renamed < 2) await rig.emulator.assets.rename(asset.assetId, `others/${String(renamed)}`);
      return rig.host.remove(...of);
    };
    const again = () => remove(rig, rig.recordOf(asset), { ...rig.host, remove: removeThere });
    await expect(again()).rejects.toMatchObject({ code: 'HOST_REJECTED' });
    expect(await again()).toBe('removed');
    expect(await onHost(rig, asset)).toBeNull();
  });

  it('done a second time leaves what has taken the name alone', async () => {
    const rig = await openRig();
    const asset = await rig.foreign('others/a');
    await rig.sync();
    const record = rig.recordOf(asset);
    expect(await remove(rig, record)).toBe('removed');
    const next = await rig.foreign('others/a');
    expect(await removeRecord(rig, { ...record, assetId: null }, signal())).toBe('elsewhere');
    expect(await onHost(rig, next)).not.toBeNull();
  });
});

describe('a rename', () => {
  it('that a notification has reported is not undone by a sync that had listed the asset before', async () => {
    const rig = await openRig();
    const asset = await rig.foreign('others/a');
    await rig.sync();
    const list: MediaHost['list'] = async (request) => {
      const page = await rig.host.list(request);
      const record = await rig.find(asset);
      if (page.assets.length === 0 || record === null) return page;
      await rig.emulator.assets.rename(asset.assetId, 'others/b');
      const renamed = await onHost(rig, asset);
      const place = { publicId: 'others/b', url: record.url.replace('others/a', 'others/b') };
      expect(renamed).toMatchObject({ publicId: place.publicId });
      expect(await rig.catalog.saveIf({ ...record, ...place }, record)).toBe('updated');
      return page;
    };
    await rig.worker({ host: { ...rig.host, list } })({ mode: 'full' });
    expect(await rig.find(asset)).toMatchObject({ publicId: 'others/b' });
  });
});

describe('an edit', () => {
  it('never lands on the asset that has the name by now, and reaches its own with the next sync', async () => {
    const rig = await openRig();
    const [asset, record] = await synced(rig, 'ours');
    const [other] = await synced(rig, 'other');
    await swapNames(rig, asset, other);
    await edit(rig, record, 'edited');
    expect((await pushRecord(rig, record.id, signal())).outcome).toBe('missing');
    expect((await onHost(rig, other))?.context).toMatchObject(other.context);
    await rig.sync();
    expect((await pushRecord(rig, record.id, signal())).outcome).toBe('pushed');
    expect((await onHost(rig, asset))?.context).toMatchObject({ hf_id: record.id, title: 'edited' });
    expect((await onHost(rig, other))?.context).toMatchObject({ title: 'other' });
    expect(await rig.sync()).toMatchObject({ created: 0, updated: 0, missing: 0, errors: 0 });
  });

  it('reaches a copy of an asset that has been edited more often', async () => {
    const rig = await openRig();
    const [asset, first] = await synced(rig, 'ours');
    let record = first;
    for (const title of ['two', 'three', 'four']) {
      record = await edit(rig, record, title);
      await pushRecord(rig, record.id, signal());
    }
    const copy = await rig.foreign('elsewhere/copy', (await onHost(rig, asset))?.context);
    await rig.sync();
    const copied = await rig.find(copy);
    if (copied === null) throw new Error('the copy was not adopted');
    await edit(rig, copied, 'edited');
    expect((await pushRecord(rig, copied.id, signal())).outcome).toBe('pushed');
    expect((await onHost(rig, copy))?.context).toMatchObject({ hf_id: copied.id, title: 'edited' });
    expect((await onHost(rig, asset))?.context).toMatchObject({ hf_id: record.id, title: 'four' });
  });

  it('joins one that was made on the renamed asset', async () => {
    const rig = await openRig();
    const [asset, record] = await synced(rig, 'ours');
    await rig.emulator.assets.rename(asset.assetId, 'elsewhere/a');
    await rig.emulator.assets.edit(asset.assetId, { tags: ['theirs'] });
    await edit(rig, record, 'edited');
    await rig.sync();
    expect((await pushRecord(rig, record.id, signal())).outcome).toBe('pushed');
    expect(await rig.catalog.find(record.id)).toMatchObject({
      publicId: 'elsewhere/a',
      title: 'edited',
      tags: ['theirs'],
    });
    expect(await onHost(rig, asset)).toMatchObject({ tags: ['theirs'], context: { title: 'edited' } });
  });
});

it('writes again what the host lost, where the asset is now', async () => {
  const rig = await openRig();
  const [asset, record] = await synced(rig, 'before');
  await edit(rig, record, 'after');
  await pushRecord(rig, record.id, signal());
  await rig.emulator.assets.rename(asset.assetId, 'elsewhere/a');
  await rig.emulator.assets.edit(asset.assetId, { context: asset.context });
  expect(await rig.sync()).toMatchObject({ created: 0, missing: 0, errors: 0 });
  expect((await onHost(rig, asset))?.context).toMatchObject({ hf_id: record.id, title: 'after' });
  await rig.sync();
  expect(await rig.catalog.find(record.id)).toMatchObject({ publicId: 'elsewhere/a', status: 'verified' });
  expect(await rig.sync()).toMatchObject({ updated: 0, unchanged: 1 });
});

it('comes back under its id from the host alone, and its copies under ids of their own', async () => {
  const rig = await openRig();
  const [asset, record] = await synced(rig, 'ours');
  await rig.emulator.assets.rename(asset.assetId, 'elsewhere/a');
  await rig.sync();
  await edit(rig, (await rig.catalog.find(record.id)) ?? record, 'edited');
  expect((await pushRecord(rig, record.id, signal())).outcome).toBe('pushed');
  const before = await rig.catalog.find(record.id);
  expect(before).toMatchObject({ publicId: 'elsewhere/a', title: 'edited', revision: 2 });
  const copy = await rig.foreign('elsewhere/copy', (await onHost(rig, asset))?.context);
  expect(await rig.sync()).toMatchObject({ created: 1, missing: 0, errors: 0 });
  const foreign = await rig.find(copy);
  expect(foreign?.id).toMatch(/^cld-/);
  await sandbox.client.del(...(await sandbox.client.keys(`${rig.keys.prefix}:*`)));
  expect(await rig.sync()).toMatchObject({ created: 2, errors: 0 });
  const {
    status: _a,
    persistence: _b,
    lastError: _c,
    ...kept
  } = (await rig.catalog.find(record.id)) ?? record;
  expect(before).toMatchObject(kept);
  expect((await rig.find(copy))?.id).toBe(foreign?.id);
});

it('is asked to note a new name once, and not in a dry run', async () => {
  const rig = await openRig();
  const [asset] = await synced(rig, 'ours');
  await rig.emulator.assets.rename(asset.assetId, 'elsewhere/a');
  await rig.sync({ dryRun: true });
  expect((await onHost(rig, asset))?.context).not.toHaveProperty('hf_asset');
  await rig.sync();
  expect((await onHost(rig, asset))?.context).toMatchObject({ hf_asset: `holdfast/${asset.assetId}` });
  await rig.emulator.requests.reset();
  expect(await rig.sync()).toMatchObject({ unchanged: 1, updated: 0 });
  const calls = (await rig.emulator.requests.recent()).map(({ endpoint }) => endpoint);
  expect(calls.filter((call) => call !== 'list')).toEqual([]);
});

it('loses no edit that is pushed while its new name is noted', async () => {
  const rig = await openRig();
  const [asset, record] = await synced(rig, 'ours');
  await rig.emulator.assets.rename(asset.assetId, 'elsewhere/a');
  let pushed: string | undefined;
  const host = {
    ...rig.host,
    annotate: async (...of: Parameters<typeof rig.host.annotate>) => {
      if (pushed === undefined) {
        await edit(rig, (await rig.catalog.find(record.id)) ?? record, 'edited');
        pushed = (await pushRecord(rig, record.id, signal())).outcome;
      }
      return rig.host.annotate(...of);
    },
  };
  await rig.worker({ host })({ mode: 'full', runId: 'bind' });
  expect(pushed).toBe('pushed');
  expect((await onHost(rig, asset))?.context).toMatchObject({
    hf_rev: '2',
    title: 'edited',
    hf_asset: `holdfast/${asset.assetId}`,
  });
});

it('writes the note again with what the host had lost', async () => {
  const rig = await openRig();
  const [asset, record] = await synced(rig, 'before');
  await edit(rig, record, 'after');
  await pushRecord(rig, record.id, signal());
  await rig.emulator.assets.rename(asset.assetId, 'elsewhere/a');
  await rig.sync();
  await rig.emulator.assets.edit(asset.assetId, { context: asset.context });
  await rig.sync();
  expect((await onHost(rig, asset))?.context).toMatchObject({
    hf_id: record.id,
    title: 'after',
    hf_asset: `holdfast/${asset.assetId}`,
  });
});
