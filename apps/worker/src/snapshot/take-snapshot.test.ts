import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { MediaHost } from '@holdfast/shared/media-host';
import { deletionFiles, groupFiles, readManifest, snapshotPrefix } from '@holdfast/shared/snapshot';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type HostKind, type SyncRig } from '../../test/support/sync-rig.js';
import { isSnapshotDue } from './take-snapshot.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const open = (kind: HostKind, seenBy?: (host: MediaHost) => MediaHost): Promise<SyncRig> =>
  openSyncRig(sandbox, kind, {
    env: { CATALOG_SNAPSHOT: 'true' },
    ...(seenBy === undefined ? {} : { seenBy }),
  });

const snapshotsOf = async ({ host }: SyncRig, folder = 'holdfast') =>
  groupFiles(folder, await host.listFiles(snapshotPrefix(folder)));

describe.each(['local', 'cloudinary'] as const)('snapshots, %s', (kind) => {
  it('are written after a full run, shown in the status, and ignored by syncs', async () => {
    const rig = await open(kind);
    await rig.upload();
    await rig.upload();
    await rig.sync();
    const [written, ...others] = await snapshotsOf(rig);
    expect(others).toEqual([]);
    const bytes = await rig.host.readFile(written?.manifest?.name ?? '');
    const reading = readManifest(bytes ?? Buffer.alloc(0));
    expect(reading).toMatchObject({ records: 2, tombstones: 0 });
    const { snapshot } = await rig.state.read();
    expect(snapshot).toMatchObject({ id: written?.id, records: 2, bytes: written?.parts[0]?.bytes });
    expect(await rig.sync()).toMatchObject({ listed: 2, unchanged: 2, created: 0 });
    expect(await rig.sync({ mode: 'incremental' })).toMatchObject({ created: 0, removed: 0 });
  });

  it('are written again only when something changed, and the last three are kept', async () => {
    const rig = await open(kind);
    await rig.sync();
    await rig.sync();
    expect(await snapshotsOf(rig)).toHaveLength(1);
    const ids: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      await rig.upload();
      await rig.sync();
      ids.unshift((await rig.state.read()).snapshot?.id ?? '');
    }
    const kept = await snapshotsOf(rig);
    expect(kept.map(({ id }) => id)).toEqual(ids.slice(0, 3));
    expect(kept.every(({ manifest, parts }) => manifest !== null && parts.length === 1)).toBe(true);
  });

  it('count an edit, a deletion and a lost asset as changes', async () => {
    const rig = await open(kind);
    const [edited, deleted, lost] = [await rig.upload(), await rig.upload(), await rig.upload()];
    const changesOf = async (): Promise<number> => (await rig.state.read()).changes;
    await rig.sync();
    const before = await changesOf();
    const record = await rig.find(edited);
    if (record === null) throw new Error('no record');
    await rig.catalog.save({ ...record, title: 'new', revision: 2 });
    await rig.catalog.beginDelete(rig.recordOf(deleted).id);
    await rig.host.remove(lost);
    await rig.catalog.markMissing([rig.recordOf(lost).id], null);
    expect(await changesOf()).toBe(before + 3);
    await rig.catalog.save({ ...record, title: 'new', revision: 2 });
    expect(await changesOf()).toBe(before + 3);
  });

  it('let go of the note of a deletion once each one that is kept knows of it', async () => {
    const rig = await open(kind);
    const [gone] = [await rig.upload(), await rig.upload()];
    const { id } = rig.recordOf(gone);
    const notes = async () =>
      deletionFiles('holdfast', await rig.host.listFiles(snapshotPrefix('holdfast'))).length;
    /** The next snapshot, as so much later. */
    const snapshotAfter = async (hours: number): Promise<void> => {
      await rig.upload();
      await rig.worker({ now: () => Date.now() + hours * 3_600_000 })({ mode: 'full' });
    };
    await rig.sync();
    await rig.catalog.beginDelete(id);
    await rig.deletionNotes.add(id, AbortSignal.timeout(5_000));
    for (const hours of [1, 2]) {
      await snapshotAfter(hours);
      expect(await notes()).toBe(1);
    }
    await snapshotAfter(3);
    expect(await snapshotsOf(rig)).toHaveLength(3);
    expect(await notes()).toBe(0);
  });

  it('of two deployments on one host stay apart', async () => {
    const rig = await open(kind);
    await rig.upload({ title: 'mine' });
    await rig.sync();
    const mine = await snapshotsOf(rig);
    const folder = 'holdfast/staging';
    const other = { ...rig.settings, host: { ...rig.settings.host, folder } };
    await rig.redis.flushall();
    await rig.worker({ settings: other })({ trigger: 'recovery', mode: 'full', runId: 'r' });
    const run = await rig.state.findRun('r');
    expect(run?.findings.map(({ code }) => code)).toEqual(['CATALOG_REBUILDING']);
    expect(await snapshotsOf(rig, folder)).toHaveLength(1);
    expect(await snapshotsOf(rig)).toEqual(mine);
  });

  it('are not taken of a catalog that was emptied while it was read', async () => {
    const rig = await open(kind, (host) => ({
      ...host,
      putFile: async (name, body, signal) => {
        await host.putFile(name, body, signal);
        if (name.endsWith('.part-0001')) await sandbox.client.flushall();
      },
    }));
    await rig.upload();
    await rig
      .worker()({ mode: 'full' })
      .catch(() => undefined);
    expect((await snapshotsOf(rig)).map(({ manifest }) => manifest)).toEqual([null]);
  });

  it('fail without failing the run, and are tried again', async () => {
    let isFull = true;
    const rig = await open(kind, (host) => ({
      ...host,
      putFile: (name, body, signal) =>
        isFull ? Promise.reject(new HoldfastError('STORAGE_FULL')) : host.putFile(name, body, signal),
    }));
    await rig.upload();
    expect(await rig.sync()).toMatchObject({ result: 'ok', created: 1 });
    const { snapshot, recentErrors, lastRun } = await rig.state.read();
    expect(snapshot).toBeNull();
    expect(recentErrors).toMatchObject([{ runId: lastRun?.runId, code: 'STORAGE_FULL' }]);
    isFull = false;
    await rig.sync({ mode: 'incremental' });
    expect((await rig.state.read()).snapshot).toBeNull();
    await rig.sync();
    expect((await rig.state.read()).snapshot).toMatchObject({ records: 1 });
  });

  it('are not taken after a dry run, nor where they are off', async () => {
    const rig = await open(kind);
    await rig.upload();
    await rig.sync({ dryRun: true });
    const off = { ...rig.settings, sync: { ...rig.settings.sync, snapshots: false } };
    await rig.worker({ settings: off })({ mode: 'full' });
    expect(await snapshotsOf(rig)).toEqual([]);
  });
});

describe('a snapshot', () => {
  const day = 24 * 3_600_000;
  const now = Date.parse('2026-01-10T00:00:00.000Z');
  const ago = (ms: number): string => new Date(now - ms).toISOString();
  const last = { id: 'a', at: ago(3_600_000), records: 1, bytes: 1, changes: 5 };
  const facts = {
    snapshot: last,
    snapshotTriedAt: null,
    lastFullAt: ago(2 * 3_600_000),
    changes: 6,
  };

  it.each([
    ['never before a full run has completed', { ...facts, snapshot: null, lastFullAt: null }, 'full', false],
    ['when there is none', { ...facts, snapshot: null }, 'incremental', true],
    ['not within a day of the last one', facts, 'incremental', false],
    ['a day after the last one', { ...facts, snapshot: { ...last, at: ago(day) } }, 'incremental', true],
    [
      'not when nothing changed',
      { ...facts, changes: 5, snapshot: { ...last, at: ago(2 * day) } },
      'full',
      false,
    ],
    ['not before there are many', { ...facts, changes: 200_004 }, 'incremental', false],
    ['after a full run', { ...facts, lastFullAt: ago(1_000) }, 'full', true],
    [
      'after a try that a wrong clock dated',
      { ...facts, snapshot: null, snapshotTriedAt: ago(-7_200_000) },
      'incremental',
      true,
    ],
    [
      'not soon after a try',
      { ...facts, snapshot: null, snapshotTriedAt: ago(60_000) },
      'incremental',
      false,
    ],
    [
      'after a full run, also soon after a try',
      { ...facts, snapshot: null, snapshotTriedAt: ago(60_000) },
      'full',
      true,
    ],
  ] as const)('is due: %s', (_case, given, mode, due) => {
    expect(isSnapshotDue(given, mode, now)).toBe(due);
  });
});
