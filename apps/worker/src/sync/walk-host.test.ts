import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostAsset } from '@holdfast/shared/media-host';
import { pushRecord } from '@holdfast/shared/push';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { lasting, openSyncRig, type HostKind } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

describe.each<HostKind>(['local', 'cloudinary'])('a full sync (%s)', (kind) => {
  it('returns every record field for field with the same ids after Redis was emptied', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const awkward = 'Ünïcode \\ | = " \n 日本語 '.repeat(20);
    await rig.upload({ title: awkward, description: awkward, tags: ['ä b', 'c'], filename: 'ü|=.png' });
    await rig.upload({ revision: 7, updatedAt: new Date(Date.now() + 5_000).toISOString(), category: '' });
    await rig.upload({ source: 'direct', checksum: { sha256: null, md5: null }, tags: [] });
    await rig.upload({ resourceType: 'raw' });
    await rig.foreign('others/beach', { caption: 'Beach', alt: 'Sand' }, ['sun']);
    expect(await rig.sync()).toMatchObject({ result: 'ok', listed: 5, created: 5, errors: 0 });
    const before = await rig.records();
    expect(before.map((record) => record.status)).toEqual(Array(5).fill('verified'));
    expect(before.map((record) => record.persistence.level)).toEqual(Array(5).fill('fsynced'));
    expect(before.some((record) => record.title === awkward)).toBe(true);
    expect(before.some((record) => record.title === 'Beach' && record.id.startsWith('cld-'))).toBe(true);

    await sandbox.client.flushall();
    expect(await rig.sync()).toMatchObject({ result: 'ok', created: 5 });
    const after = await rig.records();
    expect(after.map(lasting)).toEqual(before.map(lasting));
    expect(after.map((record) => record.status)).toEqual(Array(5).fill('verified'));
  });

  it('writes nothing when nothing changed', async () => {
    const rig = await openSyncRig(sandbox, kind);
    for (let n = 0; n < 5; n += 1) await rig.upload();
    await rig.foreign('others/a');
    await rig.sync();
    const stored = await dump(rig.keys.prefix);
    expect(await rig.sync()).toMatchObject({
      result: 'ok',
      listed: 6,
      unchanged: 6,
      created: 0,
      updated: 0,
      missing: 0,
      findings: [],
    });
    expect(await dump(rig.keys.prefix)).toEqual(stored);
  });

  it('verifies again what had failed, once the cause is gone', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload();
    await rig.sync();
    const error = { code: 'DURABILITY_TOO_LOW', message: 'x' };
    const record = await rig.find(asset);
    if (record === null) throw new Error('the asset was not adopted');
    const failing = { ...record, title: 'edited', revision: 2 };
    await rig.catalog.saveIf(failing, record);
    await rig.catalog.notePushed(failing.id, 1);
    await rig.catalog.noteFailure({ id: failing.id, revision: 2, attempts: 3, final: true, error });
    await pushRecord(rig, failing.id, AbortSignal.timeout(5_000));
    expect((await rig.find(asset))?.status).toBe('failed');
    expect(await rig.sync()).toMatchObject({ unchanged: 1, errors: 0 });
    expect(await rig.find(asset)).toMatchObject({ status: 'verified', title: 'edited', lastError: null });
  });

  it('marks what the host lost as missing, and restores what came back', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const kept = await rig.upload();
    const lost = await rig.upload();
    await rig.sync();
    await rig.host.remove(lost);
    expect(await rig.sync()).toMatchObject({ result: 'ok', listed: 1, missing: 1 });
    expect(await rig.find(lost)).toMatchObject({ status: 'missing' });
    expect(await rig.find(kept)).toMatchObject({ status: 'verified' });

    const again = await rig.sync();
    expect(again).toMatchObject({ missing: 0 });
    await rig.putBack(lost);
    expect(await rig.sync()).toMatchObject({ restored: 1, listed: 2 });
    expect(await rig.find(lost)).toMatchObject({ status: 'verified' });
  });

  it('S16: holds a mass loss back until it is confirmed with force', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const assets = [];
    for (let n = 0; n < 25; n += 1) assets.push(await rig.upload());
    await rig.sync();
    for (const asset of assets.slice(0, 22)) await rig.host.remove(asset);
    const held = await rig.sync();
    expect(held).toMatchObject({ result: 'partial', missing: 0 });
    expect(held.findings.map((finding) => finding.code)).toEqual(['MASS_MISSING']);
    expect((await rig.catalog.counts()).byStatus.missing).toBe(0);
    expect((await rig.state.read()).lastFullRun?.findings).toHaveLength(1);

    expect(await rig.sync({ dryRun: true, force: true })).toMatchObject({ missing: 22, dryRun: true });
    expect((await rig.catalog.counts()).byStatus.missing).toBe(0);
    expect(await rig.sync({ force: true })).toMatchObject({ result: 'ok', missing: 22 });
    expect((await rig.catalog.counts()).byStatus.missing).toBe(22);
  });

  it('reports only, when asked for a dry run', async () => {
    const rig = await openSyncRig(sandbox, kind, { emptied: true });
    await rig.upload();
    expect(await rig.sync({ dryRun: true })).toMatchObject({ result: 'ok', created: 1, dryRun: true });
    expect(await rig.records()).toEqual([]);
    expect((await rig.state.read()).lastFullAt).toBeNull();
  });

  it('marks nothing missing because the prefix changed', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const outside = await rig.foreign('others/a');
    await rig.sync();
    const narrow = rig.worker({
      settings: { ...rig.settings, host: { ...rig.settings.host, syncPrefix: 'only/' } },
    });
    await rig.foreign('others/new');
    await rig.host.remove(outside);
    await narrow({ mode: 'full', runId: 'narrow' });
    expect(await rig.state.findRun('narrow')).toMatchObject({ result: 'ok', created: 0, missing: 0 });
    expect(await rig.find(outside)).toMatchObject({ status: 'verified' });
  });
});

describe('a full sync', () => {
  it('keeps the hash of bytes that the host does not always give', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    const asset = await rig.foreign('others/a');
    await rig.sync();
    const before = await rig.find(asset);
    expect(before?.checksum.md5).toBe(asset.etag);
    await rig.emulator?.faults.add({
      kind: 'error',
      status: 400,
      message: 'Invalid value asset_id for parameter fields',
      match: { endpoint: 'list' },
    });
    expect(await rig.sync()).toMatchObject({ result: 'ok', unchanged: 1, updated: 0 });
    expect(await rig.find(asset)).toEqual(before);
  });

  it('leaves what the host cannot read as it is, and continues', async () => {
    const rig = await openSyncRig(sandbox, 'local');
    const [broken, gone, stays] = [await rig.upload(), await rig.upload(), await rig.upload()];
    await rig.sync();
    if (rig.settings.host.kind !== 'local') throw new Error('another host');
    const { directory } = rig.settings.host;
    const identity = (await readdir(directory, { recursive: true })).find((name) =>
      name.endsWith(`${broken.assetId}.json`),
    );
    await writeFile(join(directory, identity ?? ''), '');
    await rig.host.remove(gone);
    const run = await rig.sync();
    expect(run).toMatchObject({ result: 'ok', errors: 1, missing: 1 });
    expect(run.findings).toMatchObject([{ code: 'ASSETS_UNREADABLE', count: 1, ids: [broken.assetId] }]);
    const statuses = await Promise.all(
      [broken, gone, stays].map(async (one) => (await rig.find(one))?.status),
    );
    expect(statuses).toEqual(['verified', 'missing', 'verified']);
  });

  it('skips single assets that the host fails on', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    const [edited, unseen, gone] = [await rig.upload(), await rig.upload(), await rig.upload()];
    await rig.sync();
    const context = { ...edited.context, title: 'Edited there' };
    await rig.host.annotate(edited, { context, tags: edited.tags });
    await rig.host.remove(gone);
    await rig.host.remove(unseen);
    for (const { publicId } of [edited, unseen])
      await rig.emulator?.faults.add({
        kind: 'error',
        count: null,
        match: { endpoint: 'explicit', publicId },
      });
    const statusOf = async (asset: HostAsset) => (await rig.find(asset))?.status;
    expect(await rig.sync()).toMatchObject({ result: 'ok', errors: 2, updated: 0, missing: 1 });
    expect([await statusOf(gone), await statusOf(unseen)]).toEqual(['missing', 'verified']);
    // Passed over here, a change would wait for the next full run.
    await expect(rig.sync({ mode: 'incremental' })).rejects.toMatchObject({ code: 'HOST_REJECTED' });
    await rig.emulator?.faults.clear();
    expect(await rig.sync()).toMatchObject({ result: 'ok', errors: 0, missing: 1 });
    expect((await rig.find(edited))?.title).toBe('Edited there');
  });

  it('S16: concludes nothing from a listing that comes back empty', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    for (let n = 0; n < 3; n += 1) await rig.upload();
    await rig.sync();
    await rig.emulator?.faults.add({ kind: 'short-listing', keep: 0, count: null });
    expect(await rig.sync()).toMatchObject({ listed: 0, missing: 0 });
    expect((await rig.catalog.counts()).byStatus.verified).toBe(3);
  });

  it('marks nothing missing that the host denies by its id alone', async () => {
    const denied = { page: false };
    const nothing = { assets: [], unreadable: [], lacking: [] };
    const rig = await openSyncRig(sandbox, 'local', {
      seenBy: (host) => ({
        ...host,
        list: async (request) => (denied.page ? { ...nothing, nextCursor: null } : host.list(request)),
        confirm: async () => nothing,
      }),
    });
    const [there, gone] = [await rig.upload(), await rig.upload()];
    await rig.sync();
    denied.page = true;
    await rig.host.remove(gone);
    expect(await rig.sync()).toMatchObject({ result: 'ok', listed: 0, missing: 1 });
    expect(await rig.find(there)).toMatchObject({ status: 'verified' });
    expect(await rig.find(gone)).toMatchObject({ status: 'missing' });
  });

  it('marks nothing when a page or a confirmation fails', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    const lost = await rig.upload();
    for (let n = 0; n < 3; n += 1) await rig.upload();
    await rig.sync();
    await rig.host.remove(lost);
    for (const endpoint of ['list', 'list-by-asset-ids']) {
      await rig.emulator?.faults.add({ kind: 'error', count: null, match: { endpoint } });
      await expect(
        rig.worker()({ mode: 'full', runId: `r-${endpoint}` }, undefined, 2),
      ).rejects.toMatchObject({
        code: 'HOST_REJECTED',
      });
      expect(await rig.state.findRun(`r-${endpoint}`)).toMatchObject({ result: 'failed', missing: 0 });
      expect(await rig.find(lost)).toMatchObject({ status: 'verified' });
      await rig.emulator?.faults.clear();
    }
    const { recentErrors, running } = await rig.state.read();
    expect(recentErrors).toHaveLength(2);
    expect(running).toBeNull();
    expect(await rig.sync()).toMatchObject({ missing: 1 });
  });
});

/** Records and their indexes; everything that a sync could change but its own state. */
async function dump(prefix: string): Promise<Record<string, string>> {
  const keys = (await sandbox.client.keys(`${prefix}:[mi]:*`)).toSorted();
  const dumped = await Promise.all(
    keys.map(async (key) => (await sandbox.client.dumpBuffer(key))?.toString('hex') ?? ''),
  );
  return Object.fromEntries(keys.map((key, index) => [key, dumped[index] ?? '']));
}

describe.each<HostKind>(['local', 'cloudinary'])('an incremental sync (%s)', (kind) => {
  it('finds what is new and what was edited, and concludes nothing from absence', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const edited = await rig.foreign('others/edited', { title: 'One' });
    const gone = await rig.foreign('others/gone');
    await rig.sync();
    const added = await rig.upload();
    await rig.host.annotate(edited, { context: { title: 'Two' }, tags: [] });
    await rig.host.remove(gone);
    const run = await rig.sync({ mode: 'incremental', trigger: 'schedule' });
    expect(run).toMatchObject({ mode: 'incremental', result: 'ok', created: 1, updated: 1, missing: 0 });
    expect(await rig.find(added)).toMatchObject({ status: 'verified', source: 'upload' });
    expect(await rig.find(edited)).toMatchObject({ title: 'Two' });
    expect(await rig.find(gone)).toMatchObject({ status: 'verified' });
  });

  it('moves its mark only when it ends', async () => {
    const rig = await openSyncRig(sandbox, kind);
    await rig.sync();
    const marks = async () => {
      const { watermark, lastFullAt, lookedAt } = await rig.state.read();
      return { watermark, lastFullAt, lookedAt };
    };
    const before = await marks();
    const failing = { ...rig.host, changes: () => Promise.reject(new Error('no answer')) };
    await expect(
      rig.worker({ host: failing })({ mode: 'incremental', runId: 'r' }, undefined, 2),
    ).rejects.toThrow('no answer');
    expect(await marks()).toEqual(before);
    const run = await rig.sync({ mode: 'incremental' });
    const { watermark } = await rig.state.read();
    // The host's clock has whole seconds, so it may seem to be late.
    expect(Date.parse(run.startedAt) - Date.parse(watermark ?? '')).toBeLessThanOrEqual(1_000);
    expect(watermark?.localeCompare(before.watermark ?? '')).toBe(1);
  });

  it.each(['full', 'incremental'] as const)(
    'marks where a %s run began by the clock of the host, not by its own',
    async (mode) => {
      const rig = await openSyncRig(sandbox, kind);
      const ahead = 20 * 60_000;
      const host = { ...rig.host, hostNow: () => Date.now() };
      await rig.worker({ host, now: () => Date.now() + ahead })({ mode, runId: 'ahead' });
      const { watermark, lookedAt } = await rig.state.read();
      for (const mark of [watermark, lookedAt])
        expect(Date.parse(mark ?? '')).toBeLessThan(Date.now() + 1_000);
    },
  );

  it('marks so even when another worker continues the run', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const host = { ...rig.host, hostNow: () => Date.now() };
    let asked = 0;
    const failing = {
      ...host,
      list: (request: Parameters<typeof host.list>[0]) => {
        asked += 1;
        return asked < 3 ? host.list(request) : Promise.reject(new Error('no answer'));
      },
    };
    const begin = rig.worker({ host: failing, now: () => Date.now() + 20 * 60_000 });
    await expect(begin({ mode: 'full', runId: 'left' })).rejects.toThrow('no answer');
    await rig.worker({ host })({ mode: 'full', runId: 'left' });
    const { watermark } = await rig.state.read();
    expect(Date.parse(watermark ?? '')).toBeLessThan(Date.now() + 1_000);
  });
});

describe('an incremental sync of a large host', () => {
  it('takes one call when little changed', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.assets.seed(1_500);
    await rig.sync();
    await rig.foreign('others/new');
    expect(await rig.sync({ mode: 'incremental' })).toMatchObject({ created: 1, listed: 1, hostCalls: 1 });
  });

  it('finds everything where no run was before', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.assets.seed(700);
    expect(await rig.sync({ mode: 'incremental' })).toMatchObject({ created: 700, hostCalls: 2 });
  });
});
