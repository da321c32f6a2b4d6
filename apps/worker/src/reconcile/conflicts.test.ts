import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIntents } from '@holdfast/shared/intents';
import { editBase, writeHostMetadata, type MediaRecord } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import { pushRecord } from '@holdfast/shared/push';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { lasting, openSyncRig, type HostKind, type SyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

/** An edit here, as PATCH makes it, that the host does not have yet. */
async function editHere(rig: SyncRig, record: MediaRecord, title: string): Promise<MediaRecord> {
  const edited = { ...record, title, revision: record.revision + 1, updatedAt: new Date().toISOString() };
  expect(await rig.catalog.saveIf(edited, record)).toBe('updated');
  return edited;
}

async function synced(rig: SyncRig, asset: HostAsset): Promise<MediaRecord> {
  await rig.sync();
  const record = await rig.find(asset);
  if (record === null) throw new Error('the asset was not adopted');
  return record;
}

/** What the worker's push job does. */
async function push(rig: SyncRig, record: MediaRecord): Promise<void> {
  const metadata = writeHostMetadata({ mark: { state: 'committed' }, fields: record });
  await rig.host.annotate(record, metadata);
  await rig.catalog.notePushed(record.id, record.revision);
}

async function pushJobs(rig: SyncRig): Promise<unknown[]> {
  const jobs = await rig.queues.queues.save.getJobs(['waiting', 'delayed']);
  return jobs.map((job) => job.data as unknown);
}

const atNoon = '2026-01-02T12:00:00.000Z';

describe.each<HostKind>(['local', 'cloudinary'])('edits on both sides (%s)', (kind) => {
  it('merges what was edited on the host as a new revision that a rebuild gives again', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ title: 'Before', tags: ['sea'] });
    const before = await synced(rig, asset);
    await rig.host.annotate(asset, {
      context: { ...asset.context, title: 'On the host', category: 'new' },
      tags: ['hill', 'sea'],
    });
    expect(await rig.sync()).toMatchObject({ updated: 1, errors: 0 });
    const after = await rig.find(asset);
    expect(after).toMatchObject({
      title: 'On the host',
      category: 'new',
      tags: ['hill', 'sea'],
      revision: 2,
    });
    expect(after).toMatchObject({ status: 'verified', description: before.description });
    expect(await pushJobs(rig)).toMatchObject([{ id: before.id, revision: 2 }]);

    if (after !== null) await push(rig, after);
    expect(await rig.sync()).toMatchObject({ updated: 0, unchanged: 1 });
    const pushed = await rig.find(asset);
    await sandbox.client.flushall();
    expect(lasting(await synced(rig, asset))).toEqual(lasting(pushed));
  });

  it('merges the next edit on the host before it has pushed the one before', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ title: 'Old', category: 'old' });
    await synced(rig, asset);
    const editThere = (edit: Record<string, string>) =>
      rig.host.annotate(asset, { context: { ...asset.context, ...edit }, tags: asset.tags });
    await editThere({ title: 'First' });
    await rig.sync();
    await editThere({ title: 'Second' });
    await rig.sync();
    expect(await rig.find(asset)).toMatchObject({ title: 'Second', revision: 3, status: 'verified' });
    const record = await rig.find(asset);
    await editThere({ title: 'Third' });
    await pushRecord(rig, record?.id ?? '', AbortSignal.timeout(5_000));
    expect(await rig.find(asset)).toMatchObject({ title: 'Third', revision: 4, pushedRevision: 4 });
    expect((await rig.host.find(asset))?.context).toMatchObject({ title: 'Third', hf_rev: '4' });
  });

  it('does not overwrite an edit made here that the host does not have yet, and pushes it again', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ title: 'Old' });
    await editHere(rig, await synced(rig, asset), 'New');
    expect(await rig.sync()).toMatchObject({ updated: 0, created: 0 });
    expect(await rig.find(asset)).toMatchObject({ title: 'New', revision: 2 });
    expect(await pushJobs(rig)).toMatchObject([{ revision: 2 }]);
  });

  it('joins edits of different fields on both sides, and keeps the one made here where both edited one', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ title: 'Old', category: 'old', tags: ['b', 'a'] });
    await editHere(rig, await synced(rig, asset), 'Ours');
    await rig.host.annotate(asset, {
      context: { ...asset.context, title: 'Theirs', category: 'theirs' },
      tags: ['a', 'b'],
    });
    expect(await rig.sync()).toMatchObject({ updated: 1 });
    const joined = await rig.find(asset);
    expect(joined).toMatchObject({ title: 'Ours', category: 'theirs', revision: 3, status: 'verified' });
    expect(await pushJobs(rig)).toMatchObject([{ revision: 3 }]);
    await rig.sync();
    expect(await rig.find(asset)).toEqual(joined);
    if (joined !== null) await push(rig, joined);
    const pushed = await rig.find(asset);
    await sandbox.client.flushall();
    expect(lasting(await synced(rig, asset))).toEqual(lasting(pushed));
  });

  it('learns that a push had arrived', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload();
    const edited = await editHere(rig, await synced(rig, asset), 'New');
    const metadata = writeHostMetadata({ mark: { state: 'committed' }, fields: edited });
    await rig.host.annotate(asset, metadata);
    await rig.sync();
    expect(await rig.find(asset)).toMatchObject({ title: 'New', revision: 2, pushedRevision: 2 });
    expect(await sandbox.client.zcard(rig.keys.unpushed)).toBe(0);
  });

  it('joins an edit made here with the revision that the host has under its number', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ title: 'Old' });
    const record = await synced(rig, asset);
    // Acknowledged, and lost by Redis.
    const fields = { ...record, description: 'Kept', revision: 2, updatedAt: atNoon };
    await rig.host.annotate(asset, writeHostMetadata({ mark: { state: 'committed' }, fields }));
    const edited = { ...record, title: 'Ours', revision: 2, updatedAt: new Date().toISOString() };
    await rig.catalog.saveIf(edited, record, { revision: 2, base: editBase(record), over: 1 });
    await rig.sync();
    expect(await rig.find(asset)).toMatchObject({ title: 'Ours', description: 'Kept', revision: 3 });
  });

  it('adopts the newer revision from the host when the catalog has lost it', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ title: 'Old' });
    const record = await synced(rig, asset);
    const fields = { ...record, title: 'Newer', revision: 5 };
    await rig.host.annotate(asset, writeHostMetadata({ mark: { state: 'committed' }, fields }));
    await rig.sync();
    expect(await rig.find(asset)).toMatchObject({ title: 'Newer', revision: 5, status: 'verified' });
  });

  it('lets the record of a foreign asset follow the host at the same revision', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.foreign('others/a', { title: 'One' });
    await rig.sync();
    await rig.host.annotate(asset, { context: { title: 'Two' }, tags: ['t'] });
    expect(await rig.sync()).toMatchObject({ updated: 1 });
    const record = await rig.find(asset);
    expect(record).toMatchObject({
      title: 'Two',
      tags: ['t'],
      revision: 1,
      status: 'verified',
      source: 'sync',
    });
    expect(await pushJobs(rig)).toEqual([]);
    await sandbox.client.flushall();
    expect(lasting(await synced(rig, asset))).toEqual(lasting(record));
  });
});

describe.each<HostKind>(['local', 'cloudinary'])('what a sync leaves alone or removes (%s)', (kind) => {
  it('S20: never brings back what was deleted here, and removes its asset again', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const own = await rig.upload();
    const foreign = await rig.foreign('others/a');
    await rig.sync();
    for (const asset of [own, foreign]) {
      const { id } = rig.recordOf(asset);
      await rig.catalog.beginDelete(id);
    }
    expect(await rig.sync()).toMatchObject({ created: 0, updated: 0, missing: 0, removed: 0 });
    expect(await rig.find(own)).toMatchObject({ status: 'deleting' });
    for (const asset of [own, foreign]) await rig.catalog.finishDelete(rig.recordOf(asset).id);
    expect(await rig.sync()).toMatchObject({ created: 0, removed: 1 });
    expect(await rig.records()).toEqual([]);
    expect(await rig.host.find(own)).toBeNull();
    expect(await rig.host.find(foreign)).not.toBeNull();
  });

  it('leaves an upload that is under way to its jobs', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload();
    const intents = createIntents(rig.redis, rig.keys);
    const record = rig.recordOf(asset);
    await intents.open(record.id, asset.publicId, 100);
    expect(await rig.sync()).toMatchObject({ created: 0 });
    await intents.accept({ record });
    expect(await rig.sync()).toMatchObject({ created: 0, updated: 0 });
    expect(await rig.find(asset)).toMatchObject({ status: 'saving' });
    // Nobody else verifies it once the intent is gone.
    await intents.drop(record.id);
    await rig.sync();
    expect(await rig.find(asset)).toMatchObject({ status: 'verified' });
  });

  it('S18: never adopts an upload without its commit mark, and removes it once its time is over', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({}, { state: 'started', deadlineSeconds: 60 });
    const elsewhere = await rig.foreign('others/copy', { ...asset.context, hf_due: '0' });
    expect(await rig.sync()).toMatchObject({ created: 0, removed: 0 });
    const dueMs = Date.parse(asset.uploadedAt) + 60_000 + 15_000;
    // Our own clock does not count: dates of the host are compared with its own.
    const at = (hostNowMs: number, ourNowMs: number) =>
      rig.worker({ now: () => ourNowMs, host: { ...rig.parts.host, hostNow: () => hostNowMs } });
    await at(dueMs, Date.now() + 86_400_000)({ mode: 'full', runId: 'early' });
    expect(await rig.state.findRun('early')).toMatchObject({ removed: 0, created: 0 });
    const later = at(dueMs + 1_000, Date.now());
    const intents = createIntents(rig.redis, rig.keys);
    await intents.open(rig.recordOf(asset).id, asset.publicId, 100);
    await later({ mode: 'full', runId: 'protected' });
    expect(await rig.host.find(asset)).not.toBeNull();
    await intents.drop(rig.recordOf(asset).id);
    await later({ mode: 'full', runId: 'over' });
    expect(await rig.state.findRun('over')).toMatchObject({
      removed: 1,
      created: 0,
      findings: [{ code: 'UNFINISHED_UPLOAD', count: 1 }],
    });
    expect(await rig.host.find(asset)).toBeNull();
    expect(await rig.host.find(elsewhere)).not.toBeNull();
    expect(await rig.records()).toEqual([]);
  });

  it('does not adopt a refused upload that waits for its removal', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload();
    const removal = { publicId: asset.publicId, inMs: 60_000 };
    await createIntents(rig.redis, rig.keys).refuse(rig.recordOf(asset).id, { removal, acceptance: null });
    expect(await rig.sync()).toMatchObject({ created: 0, removed: 0 });
    expect(await rig.records()).toEqual([]);
    const { drift } = await rig.sync({ dryRun: true });
    expect(drift?.items).toMatchObject([{ code: 'REFUSED_UPLOAD', action: 'left' }]);
  });
});

describe('bytes and names on the host', () => {
  it('reports other bytes than were uploaded, and keeps the checksum of the upload', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    const asset = await rig.upload();
    const before = await synced(rig, asset);
    await rig.emulator?.assets.corrupt(asset.assetId);
    for (let n = 0; n < 2; n += 1) {
      const run = await rig.sync();
      expect(run.findings).toMatchObject([{ code: 'CONTENT_CHANGED', count: 1, ids: [before.id] }]);
      expect((await rig.find(asset))?.checksum).toEqual(before.checksum);
    }
  });

  it('reports them also when its checksum was taken off the asset', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    const asset = await rig.upload();
    const before = await synced(rig, asset);
    const { hf_sha256: _sha256, hf_md5: _md5, ...context } = asset.context;
    await rig.host.annotate(asset, { context, tags: asset.tags });
    await rig.emulator?.assets.corrupt(asset.assetId);
    for (let n = 0; n < 2; n += 1) {
      const { findings } = await rig.sync();
      expect(findings.map(({ code }) => code)).toContain('CONTENT_CHANGED');
      expect((await rig.find(asset))?.checksum).toEqual(before.checksum);
    }
  });

  it('keeps the id of a file that was renamed on the host', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    const asset = await rig.upload({ title: 'Mine' });
    const before = await synced(rig, asset);
    await rig.emulator?.assets.rename(asset.assetId, 'elsewhere/renamed');
    expect(await rig.sync()).toMatchObject({ updated: 1, created: 0, missing: 0 });
    expect(await rig.catalog.find(before.id)).toMatchObject({
      publicId: 'elsewhere/renamed',
      title: 'Mine',
      revision: 1,
    });
    expect(await rig.sync()).toMatchObject({ unchanged: 1, updated: 0 });
  });

  it('does not believe an index that shows the host as it was', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    const asset = await rig.upload({ title: 'Old' });
    const record = await synced(rig, asset);
    const stale = await rig.host.list({
      resourceType: 'image',
      cursor: null,
      limit: 10,
      signal: AbortSignal.timeout(5_000),
    });
    await push(rig, await editHere(rig, record, 'New'));
    const lagging = { ...rig.host, changes: () => Promise.resolve(stale) };
    await rig.worker({ host: lagging })({ mode: 'incremental', runId: 'r' });
    expect(await rig.find(asset)).toMatchObject({ title: 'New', revision: 2 });
    expect((await rig.host.find(asset))?.context['title']).toBe('New');
  });
});
