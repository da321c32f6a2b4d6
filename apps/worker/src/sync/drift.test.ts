import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HoldfastError } from '@holdfast/shared/errors';
import { newMediaId, type MediaRecord } from '@holdfast/shared/media';
import type { HostAsset, MediaHost } from '@holdfast/shared/media-host';
import { DRIFT_KEPT, type DriftItem } from '@holdfast/shared/sync';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type HostKind, type SyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const report = (rig: SyncRig) => rig.state.readDrift({ limit: 1_000 });
const words = (items: readonly DriftItem[]) => items.map(({ kind, code, action }) => [kind, code, action]);
const about = (items: readonly DriftItem[], { assetId }: HostAsset) =>
  items.find((item) => item.assetId === assetId);

async function editHere(rig: SyncRig, asset: HostAsset): Promise<MediaRecord> {
  const record = await rig.find(asset);
  if (record === null) throw new Error('the asset was not adopted');
  const edited = { ...record, title: 'Edited here', revision: 2, updatedAt: new Date().toISOString() };
  expect(await rig.catalog.saveIf(edited, 1)).toBe('updated');
  return edited;
}

/** Removes the run's lease, as the death of its worker does after a while. */
const die = (rig: SyncRig) => sandbox.client.del(rig.keys.syncLease);

describe.each<HostKind>(['local', 'cloudinary'])('the drift report (%s)', (kind) => {
  it('is empty before the first full run, and after one that found nothing', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const empty = { items: [], nextCursor: null, cut: false };
    expect(await report(rig)).toMatchObject({ ...empty, runId: null });
    await rig.upload();
    await rig.sync({ mode: 'incremental' });
    expect(await report(rig)).toMatchObject({ ...empty, runId: null });
    const { runId } = await rig.sync();
    expect(await report(rig)).toMatchObject({
      ...empty,
      runId,
      counts: { 'catalog-only': 0, different: 0, 'host-only': 0 },
    });
    expect(await sandbox.client.keys(`${rig.keys.prefix}:sync:drift*`)).toEqual([]);
  });

  it('tells what was on one side only and what was different, and what was done about it', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const [lost, editedThere, editedHere, unmarked, same] = [
      await rig.upload(),
      await rig.upload(),
      await rig.upload(),
      await rig.upload(),
      await rig.upload(),
    ];
    await rig.sync();
    await rig.host.remove(lost);
    await rig.host.annotate(editedThere, {
      context: { ...editedThere.context, title: 'There' },
      tags: ['new'],
    });
    await editHere(rig, editedHere);
    await rig.host.annotate(unmarked, { context: {}, tags: [] });
    const foreign = await rig.foreign('others/a');
    const orphan = await rig.upload();
    const old = new Date(Date.now() - 86_400_000).toISOString();
    const unfinished = await rig.upload({ createdAt: old }, { state: 'started', deadlineSeconds: 1 });
    const deleted = newMediaId();
    const gone = await rig.upload({ id: deleted });
    await sandbox.client.zadd(rig.keys.tombstones, Date.now(), deleted);

    const tomorrow = () => Date.now() + 86_400_000;
    const late = rig.worker({ now: tomorrow, host: { ...rig.parts.host, hostNow: tomorrow } });
    await late({ mode: 'full', runId: 'late' });
    const { runId, items, counts, cut } = await report(rig);
    expect({ runId, counts, cut }).toEqual({
      runId: 'late',
      counts: { 'catalog-only': 1, different: 3, 'host-only': 4 },
      cut: false,
    });
    expect(about(items, lost)).toEqual({
      kind: 'catalog-only',
      code: 'MISSING',
      id: rig.recordOf(lost).id,
      publicId: lost.publicId,
      assetId: lost.assetId,
      detail: expect.any(String),
      action: 'marked-missing',
    });
    expect(about(items, editedThere)).toMatchObject({
      kind: 'different',
      code: 'EDITED_ON_HOST',
      id: rig.recordOf(editedThere).id,
      action: 'updated',
      detail: expect.stringContaining('title, tags'),
    });
    const different = { kind: 'different' };
    expect(about(items, editedHere)).toMatchObject({
      ...different,
      code: 'EDITED_HERE',
      action: 'push-queued',
    });
    expect(about(items, unmarked)).toMatchObject({ ...different, code: 'MARK_LOST', action: 'rewritten' });
    const hostOnly = { kind: 'host-only' };
    expect(about(items, foreign)).toMatchObject({
      ...hostOnly,
      code: 'NOT_IN_CATALOG',
      id: `cld-${foreign.assetId}`,
      publicId: 'others/a',
      action: 'created',
    });
    expect(about(items, orphan)).toMatchObject({ ...hostOnly, code: 'NOT_IN_CATALOG', action: 'created' });
    expect(about(items, unfinished)).toMatchObject({
      ...hostOnly,
      code: 'UNFINISHED_UPLOAD',
      action: 'removed',
    });
    expect(about(items, gone)).toMatchObject({
      ...hostOnly,
      code: 'DELETED_HERE',
      id: deleted,
      action: 'removed',
    });
    expect(about(items, same)).toBeUndefined();
  });

  it('shows a missing media again in each run, until it came back', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const lost = await rig.upload();
    await rig.sync();
    await rig.host.remove(lost);
    await rig.sync();
    expect(words((await report(rig)).items)).toEqual([['catalog-only', 'MISSING', 'marked-missing']]);
    await rig.sync();
    expect(words((await report(rig)).items)).toEqual([['catalog-only', 'MISSING', 'left']]);
    await rig.putBack(lost);
    await rig.sync();
    expect(words((await report(rig)).items)).toEqual([['different', 'CAME_BACK', 'restored']]);
    await rig.sync();
    expect((await report(rig)).items).toEqual([]);
  });

  it('tells which media a held back loss is about', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const assets = [];
    for (let n = 0; n < 22; n += 1) assets.push(await rig.upload());
    await rig.sync();
    for (const asset of assets) await rig.host.remove(asset);
    await rig.sync();
    const { items } = await report(rig);
    expect(items).toHaveLength(22);
    expect(new Set(words(items).map((word) => word.join()))).toEqual(
      new Set(['catalog-only,MASS_MISSING,held-back']),
    );
  });

  it('is that of a dry run in its result alone, which says what would be done', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const lost = await rig.upload();
    await rig.sync();
    const before = await report(rig);
    await rig.host.remove(lost);
    const fresh = await rig.upload();
    const { drift } = await rig.sync({ dryRun: true });
    expect(drift).toMatchObject({
      items: [
        { code: 'MISSING', action: 'marked-missing', id: rig.recordOf(lost).id },
        { code: 'NOT_IN_CATALOG', action: 'created', id: rig.recordOf(fresh).id },
      ],
      counts: { 'catalog-only': 1, different: 0, 'host-only': 1 },
      cut: false,
    });
    expect(await report(rig)).toEqual(before);
    expect((await rig.sync({ dryRun: true, mode: 'incremental' })).drift?.items).toHaveLength(1);
    expect((await rig.sync()).drift).toBeUndefined();
    expect(await sandbox.client.keys(`${rig.keys.prefix}:sync:drift:*`)).toEqual([]);
  });
});

describe('the drift report', () => {
  it('tells of bytes that changed, in each run', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    const asset = await rig.upload();
    await rig.sync();
    await rig.emulator?.assets.corrupt(asset.assetId);
    for (let n = 0; n < 2; n += 1) {
      await rig.sync();
      expect((await report(rig)).items).toMatchObject([
        { kind: 'different', code: 'CONTENT_CHANGED', action: 'left', id: rig.recordOf(asset).id },
      ]);
    }
  });

  it('tells what could not be done', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    const asset = await rig.upload();
    await rig.sync();
    await rig.host.annotate(asset, { context: {}, tags: [] });
    const refusing: MediaHost = {
      ...rig.host,
      annotate: () => Promise.reject(new HoldfastError('HOST_REJECTED')),
    };
    await rig.worker({ host: refusing })({ mode: 'full', runId: 'refused' });
    expect(await rig.state.findRun('refused')).toMatchObject({ errors: 1 });
    expect(words((await report(rig)).items)).toEqual([['different', 'MARK_LOST', 'failed']]);
  });

  it('tells what others did in the same moment', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    const lost = await rig.upload();
    await rig.sync();
    await rig.host.remove(lost);
    const fresh = await rig.foreign('others/a');
    const ticket = { state: 'ticket', expiresAtMs: Date.now() + 3_600_000 } as const;
    const arrival = await rig.upload({ source: 'direct', checksum: { sha256: null, md5: null } }, ticket);
    const host: MediaHost = {
      ...rig.host,
      // Between what was decided about the page and its saves.
      annotate: async (...args) => {
        await sandbox.client.zadd(rig.keys.tombstones, Date.now(), rig.recordOf(fresh).id);
        return rig.host.annotate(...args);
      },
      find: async (ref, signal) => {
        if (ref.publicId === lost.publicId) await editHere(rig, lost);
        return rig.host.find(ref, signal);
      },
    };
    await rig.worker({ host })({ mode: 'full', runId: 'r' });
    const { items } = await report(rig);
    expect(about(items, arrival)).toMatchObject({ code: 'DIRECT_UPLOAD', action: 'created' });
    expect(about(items, fresh)).toMatchObject({ code: 'NOT_IN_CATALOG', action: 'left' });
    expect(about(items, lost)).toMatchObject({ code: 'MISSING', action: 'left' });
  });

  it('stays as it was until the next full run has ended well', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary', { env: { SAVE_ATTEMPTS: '1' } });
    await rig.emulator?.assets.seed(600);
    await rig.sync();
    const before = await rig.state.readDrift({ limit: 5 });
    expect(before).toMatchObject({ counts: { 'host-only': 600 } });
    await rig.foreign('others/new');
    await rig.emulator?.faults.add({ kind: 'error', count: null, match: { endpoint: 'list-by-asset-ids' } });
    const lost = await rig.upload();
    await rig.catalog.save(rig.recordOf(lost));
    await rig.catalog.markVerified('written', new Date(), [
      { id: rig.recordOf(lost).id, revision: 1, attempts: 1 },
    ]);
    await rig.host.remove(lost);
    await expect(rig.worker()({ mode: 'full', runId: 'failing' })).rejects.toMatchObject({
      code: 'HOST_REJECTED',
    });
    expect(await rig.state.findRun('failing')).toMatchObject({ result: 'failed' });
    expect(await rig.state.readDrift({ limit: 5 })).toEqual(before);
    expect(await sandbox.client.exists(rig.keys.syncDriftOf('failing'))).toBe(0);
  });

  it('holds each item once when a page is done again after a crash, also what was done before it', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.assets.seed(700);
    // Killed when all of the second page was done, and nobody had written so down.
    let pages = 0;
    const stop = new AbortController();
    const host: MediaHost = {
      ...rig.host,
      list: (request) => {
        pages += 1;
        return rig.host.list(request);
      },
    };
    const dying = rig.worker({
      host,
      serverJudged: () => {
        if (pages >= 2) stop.abort();
        return stop.signal.aborted
          ? Promise.reject(new HoldfastError('CATALOG_UNAVAILABLE'))
          : Promise.resolve();
      },
    });
    await expect(dying({ mode: 'full', runId: 'r' }, stop.signal)).rejects.toBeDefined();
    const created = (await rig.catalog.counts()).total;
    const run = await rig.state.findRun('r');
    expect(created).toBeGreaterThan(run?.listed ?? 0);
    expect((await report(rig)).runId).toBeNull();

    await die(rig);
    await rig.worker()({ mode: 'full', runId: 'r' });
    const { items, counts } = await report(rig);
    expect(counts).toEqual({ 'catalog-only': 0, different: 0, 'host-only': 700 });
    expect(new Set(items.map(({ assetId }) => assetId)).size).toBe(700);
    expect(new Set(words(items).map((word) => word.join()))).toEqual(
      new Set(['host-only,NOT_IN_CATALOG,created']),
    );
    expect(await sandbox.client.ttl(rig.keys.syncDrift)).toBe(-1);
  });

  it('holds each item once when the host forgot its cursor', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.assets.seed(1_100);
    let calls = 0;
    const host: MediaHost = {
      ...rig.host,
      list: (request) => {
        calls += 1;
        return calls === 3 ? Promise.reject(new HoldfastError('HOST_CURSOR_SPENT')) : rig.host.list(request);
      },
    };
    await rig.worker({ host })({ mode: 'full', runId: 'r' });
    expect((await report(rig)).counts['host-only']).toBe(1_100);
  });

  it('takes nothing from a worker that lost the lease', async () => {
    const rig = await openSyncRig(sandbox, 'local');
    const item: DriftItem = {
      kind: 'host-only',
      code: 'NOT_IN_CATALOG',
      id: 'i',
      publicId: 'p',
      assetId: 'a',
      detail: '',
      action: 'created',
    };
    await expect(
      rig.state.noteDrift('1', { runId: 'r', dryRun: false, items: [item] }),
    ).rejects.toMatchObject({ code: 'RUN_SUPERSEDED' });
    expect(await sandbox.client.exists(rig.keys.syncDriftOf('r'))).toBe(0);
  });

  it('keeps a number of items of each kind, says so, and still takes corrections of those', async () => {
    const rig = await openSyncRig(sandbox, 'local');
    const token = (await rig.state.acquire()) ?? '';
    const item = (n: number): DriftItem => ({
      kind: 'host-only',
      code: 'NOT_IN_CATALOG',
      id: `i${String(n)}`,
      publicId: `p${String(n)}`,
      assetId: `a${String(n)}`,
      detail: '',
      action: 'created',
    });
    const note = (items: DriftItem[]) => rig.state.noteDrift(token, { runId: 'r', dryRun: false, items });
    for (let n = 0; n < DRIFT_KEPT - 1; n += 1_111)
      await note(Array.from({ length: Math.min(1_111, DRIFT_KEPT - 1 - n) }, (_, i) => item(n + i)));
    const missing: DriftItem = { ...item(0), kind: 'catalog-only', code: 'MISSING', action: 'left' };
    expect(await note([missing])).toEqual([]);
    expect(await note([item(DRIFT_KEPT), item(DRIFT_KEPT + 1)])).toEqual(['host-only']);
    expect(await note([{ ...item(7), action: 'failed' }, item(DRIFT_KEPT + 2)])).toEqual(['host-only']);
    await sandbox.client.rename(rig.keys.syncDriftOf('r'), rig.keys.syncDrift);
    await sandbox.client.hset(rig.keys.syncState, 'driftRun', 'r');
    const page = await rig.state.readDrift({ limit: 5 });
    expect(page).toMatchObject({
      cut: true,
      counts: { 'catalog-only': 1, different: 0, 'host-only': DRIFT_KEPT },
      items: [missing, item(0), item(1), item(10), item(100)],
    });
    const all: DriftItem[] = [...page.items];
    for (let cursor = page.nextCursor; cursor !== null;) {
      const next = await rig.state.readDrift({ limit: 1_000, cursor });
      all.push(...next.items);
      cursor = next.nextCursor;
    }
    expect(all).toHaveLength(DRIFT_KEPT + 1);
    expect(all.find(({ kind, id }) => kind === 'host-only' && id === 'i7')?.action).toBe('failed');
  });

  it('costs no command where nothing changed, and in incremental runs', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.assets.seed(1_000);
    await rig.sync();
    await sandbox.client.config('RESETSTAT');
    expect(await rig.sync()).toMatchObject({ unchanged: 1_000 });
    const stats = await sandbox.client.info('commandstats');
    expect(stats).not.toMatch(/cmdstat_zadd:|cmdstat_zlexcount:|cmdstat_zrangebylex:/);
    await rig.foreign('others/new');
    expect(await rig.sync({ mode: 'incremental' })).toMatchObject({ created: 1 });
    expect(await sandbox.client.info('commandstats')).not.toMatch(/cmdstat_zlexcount:/);
  });
});
