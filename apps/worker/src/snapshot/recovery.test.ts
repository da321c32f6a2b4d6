import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MediaRecord } from '@holdfast/shared/media';
import { manifestName, partName, snapshotPrefix, groupFiles } from '@holdfast/shared/snapshot';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { lasting, openSyncRig, type HostKind, type SyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const env = { CATALOG_SNAPSHOT: 'true' };
const open = (kind: HostKind, over: Record<string, string> = {}): Promise<SyncRig> =>
  openSyncRig(sandbox, kind, { env: { ...env, ...over } });

const snapshotsOf = async ({ host, settings }: SyncRig) =>
  groupFiles(settings.host.folder, await host.listFiles(snapshotPrefix(settings.host.folder)));
const newestOf = async (rig: SyncRig) => {
  const [newest] = await snapshotsOf(rig);
  if (newest === undefined) throw new Error('no snapshot');
  return newest;
};
const recover = (rig: SyncRig) => rig.sync({ trigger: 'recovery', mode: 'full' });
const found = (code: string, run: { findings: { code: string }[] }) =>
  run.findings.find((finding) => finding.code === code);
const plain = (records: readonly MediaRecord[]): unknown[] => records.map((record) => lasting(record));

/** Puts other bytes under a name that is taken, as damage would. */
async function replaceFile(
  { host }: SyncRig,
  name: string,
  change: (bytes: Buffer) => Buffer,
): Promise<void> {
  const bytes = await host.readFile(name);
  if (bytes === null) throw new Error(`no ${name}`);
  await host.removeFile(name);
  await host.putFile(name, change(Buffer.from(bytes)));
}

const flip = (bytes: Buffer): Buffer => {
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  return bytes;
};

describe.each(['local', 'cloudinary'] as const)('a recovery, %s', (kind) => {
  it('brings every record back from the snapshot, verified, and what came later from the host', async () => {
    const rig = await open(kind);
    for (let count = 0; count < 5; count += 1)
      await rig.upload({ title: `media ${String(count)}`, tags: ['sea'] });
    await rig.foreign('cats/tom');
    await rig.sync();
    const later = await rig.upload({ title: 'later' });
    const before = await rig.records();
    await rig.redis.flushall();

    const run = await recover(rig);
    expect(run).toMatchObject({ result: 'ok', created: 7, listed: 7, missing: 0, errors: 0 });
    expect(found('SNAPSHOT_RESTORED', run)).toMatchObject({ count: 6 });
    const after = await rig.records();
    expect(plain(after.filter(({ assetId }) => assetId !== later.assetId))).toEqual(plain(before));
    expect(after.map(({ status }) => status)).toEqual(Array.from({ length: 7 }, () => 'verified'));
    expect((await rig.find(later))?.title).toBe('later');
  });

  it('S20: keeps deleted what was deleted, and continues a deletion that the host has not confirmed', async () => {
    const rig = await open(kind);
    const [gone, going, stays] = [await rig.upload(), await rig.upload(), await rig.upload()];
    await rig.sync();
    const idOf = (asset: typeof gone): string => rig.recordOf(asset).id;
    for (const asset of [gone, going]) await rig.catalog.beginDelete(idOf(asset));
    await rig.catalog.finishDelete(idOf(gone));
    await rig.sync();
    await rig.redis.flushall();

    await recover(rig);
    expect(await rig.catalog.find(idOf(gone))).toBeNull();
    expect(await rig.catalog.isTombstoned(idOf(gone))).toBe(true);
    expect(await rig.host.find(gone)).toBeNull();
    expect((await rig.catalog.find(idOf(going)))?.status).toBe('deleting');
    expect((await rig.find(stays))?.status).toBe('verified');
  });

  it('finds missing what the host lost since, and keeps missing what was', async () => {
    const rig = await open(kind);
    const [lost, lostLater, stays] = [await rig.upload(), await rig.upload(), await rig.upload()];
    await rig.sync();
    await rig.host.remove(lost);
    await rig.sync();
    await rig.host.remove(lostLater);
    await rig.redis.flushall();

    expect(await recover(rig)).toMatchObject({ missing: 1 });
    expect((await rig.find(lost))?.status).toBe('missing');
    expect((await rig.find(lostLater))?.status).toBe('missing');
    expect((await rig.find(stays))?.status).toBe('verified');
  });

  it('does not replace what is newer than the snapshot', async () => {
    const rig = await open(kind);
    const asset = await rig.upload({ title: 'old' });
    await rig.sync();
    const record = await rig.find(asset);
    if (record === null) throw new Error('no record');
    await rig.redis.flushall();
    const edited = { ...record, title: 'new', revision: 2, pushedRevision: 1 };
    await rig.catalog.save(edited);

    await recover(rig);
    expect(await rig.find(asset)).toMatchObject({ title: 'new', revision: 2 });
  });

  it('brings back an edit that the host does not have yet, and sends it there', async () => {
    const rig = await open(kind);
    const asset = await rig.upload({ title: 'old' });
    await rig.sync();
    const record = await rig.find(asset);
    if (record === null) throw new Error('no record');
    await rig.catalog.save({ ...record, title: 'new', revision: 2, pushedRevision: 1 });
    await rig.sync();
    await rig.redis.flushall();

    await recover(rig);
    expect(await rig.find(asset)).toMatchObject({ title: 'new', revision: 2, status: 'verified' });
    expect(await rig.queues.queues.save.getJobCountByTypes('wait', 'delayed', 'prioritized')).toBeGreaterThan(
      0,
    );
  });

  it.each([
    [
      'a damaged part',
      'damaged',
      (rig: SyncRig, id: string) => replaceFile(rig, partName('holdfast', id, 1), flip),
    ],
    [
      'a lost part',
      'damaged',
      (rig: SyncRig, id: string) => rig.host.removeFile(partName('holdfast', id, 1)),
    ],
    [
      'a damaged manifest',
      'damaged',
      (rig: SyncRig, id: string) => replaceFile(rig, manifestName('holdfast', id), flip),
    ],
    [
      'a newer version',
      'newer',
      (rig: SyncRig, id: string) =>
        replaceFile(rig, manifestName('holdfast', id), (bytes) =>
          Buffer.from(JSON.stringify({ ...(JSON.parse(bytes.toString()) as object), version: 2 })),
        ),
    ],
  ])('refuses a snapshot with %s, says so, and lists the host instead', async (_case, why, spoil) => {
    const rig = await open(kind);
    await rig.upload();
    await rig.sync();
    const before = await rig.records();
    const { id } = await newestOf(rig);
    await spoil(rig, id);
    await rig.redis.flushall();

    const run = await recover(rig);
    expect(found('SNAPSHOT_REFUSED', run)).toMatchObject({ count: 1, ids: [`${id} (${why})`] });
    expect(found('SNAPSHOT_RESTORED', run)).toBeUndefined();
    expect(run).toMatchObject({ result: 'ok', created: 1 });
    expect(plain(await rig.records())).toEqual(plain(before));
  });

  it('uses the one before a damaged one', async () => {
    const rig = await open(kind);
    await rig.upload();
    await rig.sync();
    await rig.upload();
    await rig.sync();
    const { id } = await newestOf(rig);
    await replaceFile(rig, manifestName('holdfast', id), flip);
    await rig.redis.flushall();

    const run = await recover(rig);
    expect(found('SNAPSHOT_REFUSED', run)).toMatchObject({ ids: [`${id} (damaged)`] });
    expect(found('SNAPSHOT_RESTORED', run)).toMatchObject({ count: 1 });
    expect((await rig.records()).map(({ status }) => status)).toEqual(['verified', 'verified']);
    expect((await newestOf(rig)).id > id).toBe(true);
  });

  it('ignores a snapshot that was never finished, and removes what it left with the next one', async () => {
    const rig = await open(kind);
    await rig.upload();
    await rig.sync();
    const { id, manifest } = await newestOf(rig);
    await rig.host.removeFile(manifest?.name ?? '');
    await rig.redis.flushall();

    const run = await recover(rig);
    expect(run.findings.map(({ code }) => code)).toEqual(['CATALOG_REBUILDING']);
    const left = await snapshotsOf(rig);
    expect(left).toHaveLength(1);
    expect(left[0]?.id).not.toBe(id);
  });

  it('reports nothing on a first start, where the host is empty too', async () => {
    const rig = await openSyncRig(sandbox, kind, { env: { CATALOG_SNAPSHOT: 'true' }, emptied: true });
    await rig.worker()({ trigger: 'recovery', mode: 'full', runId: 'first' });
    expect(await rig.state.findRun('first')).toMatchObject({ result: 'ok', listed: 0, findings: [] });
  });

  it('looks for no snapshot where they are off', async () => {
    const rig = await open(kind);
    await rig.upload();
    await rig.sync();
    await rig.redis.flushall();
    const off = { ...rig.settings, sync: { ...rig.settings.sync, snapshots: false } };
    await rig.worker({ settings: off })({ trigger: 'recovery', mode: 'full', runId: 'r' });
    const run = await rig.state.findRun('r');
    expect(run).toMatchObject({ result: 'ok', created: 1 });
    expect(run?.findings.map(({ code }) => code)).toEqual(['CATALOG_REBUILDING']);
  });
});
