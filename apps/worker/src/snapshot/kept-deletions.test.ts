import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { MediaHost } from '@holdfast/shared/media-host';
import { removeRecord } from '@holdfast/shared/removal';
import { newMediaId } from '@holdfast/shared/media';
import { deletionFiles, snapshotPrefix } from '@holdfast/shared/snapshot';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type HostKind, type SyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const open = (kind: HostKind): Promise<SyncRig> =>
  openSyncRig(sandbox, kind, { env: { CATALOG_SNAPSHOT: 'true' } });
const notesOf = async ({ host }: SyncRig) =>
  deletionFiles('holdfast', await host.listFiles(snapshotPrefix('holdfast')));
const recover = (rig: SyncRig) => rig.sync({ trigger: 'recovery', mode: 'full' });

/** Redis was emptied, or lost its last writes, after a deletion: the snapshot and the catalog know nothing of it. */
describe.each(['local', 'cloudinary'] as const)('what was deleted after the snapshot, %s', (kind) => {
  it('never shows what was deleted after the snapshot, also not before the host was listed', async () => {
    const rig = await open(kind);
    const [gone, stays] = [await rig.upload(), await rig.upload()];
    await rig.sync();
    const record = rig.recordOf(gone);
    await rig.catalog.beginDelete(record.id);
    expect(await removeRecord(rig, record, AbortSignal.timeout(5_000))).toBe('removed');
    await rig.redis.flushall();

    const shown: unknown[] = [];
    const host: MediaHost = {
      ...rig.host,
      list: async (request) => {
        shown.push([await rig.catalog.find(record.id), (await rig.find(stays))?.status]);
        return rig.host.list(request);
      },
    };
    await rig.worker({ host })({ trigger: 'recovery', mode: 'full', runId: 'r' });
    expect(shown[0]).toEqual([null, 'verified']);
    expect(await rig.catalog.isTombstoned(record.id)).toBe(true);
    expect(await rig.state.findRun('r')).toMatchObject({ result: 'ok', missing: 0, listed: 1 });
    expect(await rig.records()).toHaveLength(1);
  });

  it('never shows any of many, whoever noted them, and reads what replaces a file meanwhile', async () => {
    const rig = await open(kind);
    const assets = await Promise.all(Array.from({ length: 34 }, () => rig.upload()));
    await rig.sync();
    const [stays, single, ...gone] = assets.map(rig.recordOf);
    const removed = [single, ...gone].flatMap((record) => record ?? []);
    for (const record of removed) {
      await rig.catalog.beginDelete(record.id);
      const old = {
        add: (id: string) =>
          rig.host.putFile(
            `${snapshotPrefix('holdfast')}${id}.deleted`,
            Buffer.from(JSON.stringify({ deleted: id })),
          ),
      };
      const deletionNotes = record === single ? old : rig.deletionNotes;
      await removeRecord({ ...rig, deletionNotes }, record, AbortSignal.timeout(5_000));
    }
    const files = await notesOf(rig);
    expect(files.length).toBe(3);
    await rig.redis.flushall();

    const shown: unknown[] = [];
    let isReplaced = false;
    const host: MediaHost = {
      ...rig.host,
      readFile: async (name, signal) => {
        // The process that wrote them goes on: twice, to remove both of its files.
        for (let left = isReplaced ? 0 : 2; left > 0; left -= 1)
          await rig.deletionNotes.add(newMediaId(), AbortSignal.timeout(5_000));
        isReplaced = true;
        return rig.host.readFile(name, signal);
      },
      list: async (request) => {
        shown.push(await rig.records());
        return rig.host.list(request);
      },
    };
    await rig.worker({ host })({ trigger: 'recovery', mode: 'full', runId: 'r' });
    expect(shown[0]).toMatchObject([{ id: stays?.id, status: 'verified' }]);
    expect(await rig.state.findRun('r')).toMatchObject({ result: 'ok', missing: 0, listed: 1 });
    const names = files.filter(({ id }) => id === null).map(({ file }) => file.name);
    const now = (await notesOf(rig)).map(({ file }) => file.name);
    expect(names.filter((name) => now.includes(name))).toEqual([]);
  });

  it('restores no snapshot where the host will not give its notes, and lists what there is', async () => {
    const rig = await open(kind);
    const [gone, stays] = [await rig.upload(), await rig.upload()];
    await rig.sync();
    const record = rig.recordOf(gone);
    await rig.catalog.beginDelete(record.id);
    await removeRecord(rig, record, AbortSignal.timeout(5_000));
    await rig.redis.flushall();
    const host: MediaHost = {
      ...rig.host,
      readFile: (name, signal) =>
        name.includes('.deletions-')
          ? Promise.reject(new HoldfastError('HOST_TIMEOUT'))
          : rig.host.readFile(name, signal),
    };
    await rig.worker({ host })({ trigger: 'recovery', mode: 'full', runId: 'r' });
    const run = await rig.state.findRun('r');
    expect(run).toMatchObject({ result: 'ok', created: 1, listed: 1 });
    expect(run?.findings.map(({ code }) => code)).not.toContain('SNAPSHOT_RESTORED');
    expect(await rig.records()).toMatchObject([{ id: rig.recordOf(stays).id, status: 'verified' }]);
  });

  it('finishes a deletion that the host had noted and not yet done', async () => {
    const rig = await open(kind);
    const asset = await rig.upload();
    const { id } = rig.recordOf(asset);
    await rig.sync();
    await rig.catalog.beginDelete(id);
    await rig.deletionNotes.add(id, AbortSignal.timeout(5_000));
    await rig.redis.flushall();

    expect(await recover(rig)).toMatchObject({ result: 'ok', removed: 1 });
    expect(await rig.host.find(asset)).toBeNull();
    expect(await rig.catalog.find(id)).toBeNull();
  });

  it('does not bring back what is being deleted while Redis is emptied and the snapshot is loaded', async () => {
    const rig = await open(kind);
    const [doomed, stays] = [await rig.upload(), await rig.upload()];
    await rig.sync();
    const record = rig.recordOf(doomed);
    await rig.catalog.beginDelete(record.id);
    // The slow answers of a host: all of the recovery falls into them.
    const found = rig.host.find(record).then(async (asset) => {
      await rig.redis.flushall();
      await recover(rig);
      return asset;
    });
    const slow = {
      ...rig,
      host: { ...rig.host, find: () => found },
      deletionNotes: {
        add: async (id: string, signal: AbortSignal) => {
          await found;
          await rig.deletionNotes.add(id, signal);
        },
      },
    };
    expect(await removeRecord(slow, record, AbortSignal.timeout(20_000))).toBe('removed');
    expect(await rig.catalog.find(record.id)).toBeNull();
    expect(await rig.catalog.isTombstoned(record.id)).toBe(true);
    expect((await rig.find(stays))?.status).toBe('verified');
  });

  it('brings back nothing that was deleted while the host took no notes', async () => {
    const rig = await open(kind);
    const gone = await rig.upload();
    await rig.sync();
    const record = rig.recordOf(gone);
    await rig.catalog.beginDelete(record.id);
    const deletionNotes = { add: () => Promise.reject(new HoldfastError('HOST_TIMEOUT')) };
    const removal = removeRecord({ ...rig, deletionNotes }, record, AbortSignal.timeout(5_000));
    await expect(removal).rejects.toMatchObject({ code: 'HOST_TIMEOUT' });
    // The note is still to come, so the deletion is not over.
    expect((await rig.catalog.find(record.id))?.status).toBe('deleting');
    await rig.redis.flushall();
    await recover(rig);
    expect((await rig.catalog.find(record.id))?.status ?? 'missing').toBe('missing');
    expect(await rig.host.find(gone)).toBeNull();
  });

  it('lets stay deleted what a Redis without its last writes shows again', async () => {
    const rig = await open(kind);
    const [gone, stays] = [await rig.upload(), await rig.upload()];
    await rig.sync();
    const names = await rig.redis.keys('*');
    const values = await Promise.all(names.map((name) => rig.redis.dumpBuffer(name)));
    const record = rig.recordOf(gone);
    await rig.catalog.beginDelete(record.id);
    await removeRecord(rig, record, AbortSignal.timeout(5_000));
    await rig.redis.flushall();
    for (const [index, name] of names.entries()) await rig.redis.restore(name, 0, values[index] ?? '');
    expect((await rig.catalog.find(record.id))?.status).toBe('verified');

    // As after the start of another server.
    await rig.sync({ trigger: 'startup', mode: 'incremental' });
    expect((await rig.catalog.find(record.id))?.status).toBe('deleting');
    expect(await removeRecord(rig, record, AbortSignal.timeout(5_000))).toBe('elsewhere');
    expect(await rig.catalog.find(record.id)).toBeNull();
    expect((await rig.find(stays))?.status).toBe('verified');
  });
});
