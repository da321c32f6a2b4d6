import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { folderHost, settleHost } from '@holdfast/shared/catalog-host';
import { readSettings, type Environment } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import { createMediaHost, type MediaHost } from '@holdfast/shared/media-host';
import { pushRecord } from '@holdfast/shared/push';
import { removeRecord } from '@holdfast/shared/removal';
import { createDeletionNotes } from '@holdfast/shared/snapshot';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { onTestFinished } from 'vitest';
import { openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';
import { createCatalogHost } from '@holdfast/shared/catalog-host';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

/** Files that somebody uploaded while no Cloudinary was configured, and the account that they configure now. */
async function switched(files: number, emulated: { cloudName?: string } = {}) {
  const rig = await openSyncRig(sandbox, 'local', { emptied: true });
  const catalogHost = createCatalogHost(rig.redis, rig.keys);
  const settle = (host: MediaHost) =>
    settleHost({
      catalogHost,
      catalog: rig.catalog,
      syncState: rig.state,
      settings: rig.settings,
      host,
      log: silentLogger,
    });
  expect(await settle(rig.host)).toBeNull();
  for (let n = 0; n < files; n += 1) await rig.upload();
  expect(await rig.sync()).toMatchObject({ created: files, result: 'ok' });
  const emulator = await startCloudinaryEmulator(emulated);
  onTestFinished(() => emulator.close());
  const cloud = await cloudOf(rig, { CLOUDINARY_URL: emulator.cloudinaryUrl });
  return { rig, catalogHost, settle, emulator, ...cloud };
}

/** What a worker of these settings runs syncs with. */
async function cloudOf(rig: SyncRig, env: Environment) {
  const settings = readSettings({ DATA_DIR: rig.settings.dataDir, CATALOG_SNAPSHOT: 'false', ...env });
  const host = await createMediaHost(settings.host, { log: silentLogger });
  onTestFinished(() => host.close());
  const run = rig.worker({ host, settings });
  const fullSync = async (over: { force?: boolean } = {}) => {
    await run({ mode: 'full', ...over });
    const { lastRun } = await rig.state.read();
    return lastRun;
  };
  return { host, fullSync };
}

describe('a catalog of the local host under Cloudinary', () => {
  it.each([{ force: false }, { force: true }])('loses no record in a full sync (%o)', async ({ force }) => {
    const { rig, host, settle, fullSync } = await switched(53);
    expect(await settle(host)).toBe('local');
    const run = await fullSync({ force });
    expect(run).toMatchObject({ result: 'partial', missing: 0 });
    expect(run?.findings.map(({ code }) => code)).toEqual(['HOST_CHANGED']);
    expect((await rig.catalog.counts()).byStatus).toMatchObject({ verified: 53, missing: 0 });
  });

  it('is known again by its records where Redis does not say: it is of 0.1.0', async () => {
    const { rig, fullSync, catalogHost } = await switched(3);
    await rig.redis.del(rig.keys.host);
    // Fewer than what is held back.
    expect(await fullSync()).toMatchObject({ result: 'partial', missing: 0 });
    expect(await catalogHost.read()).toBe('local');
  });

  it('is known again by the data folder where Redis was emptied', async () => {
    const { rig, host, settle, fullSync, catalogHost } = await switched(2);
    await rig.redis.flushall();
    expect(await settle(host)).toBe('local');
    await fullSync();
    expect(await catalogHost.read()).toBe('local');
    expect(await settle(rig.host)).toBeNull();
  });

  it('belongs to the local host still when that one is configured again', async () => {
    const { rig, host, settle } = await switched(2);
    await settle(host);
    expect(await settle(rig.host)).toBeNull();
    expect(await rig.sync()).toMatchObject({ result: 'ok', unchanged: 2, missing: 0, findings: [] });
  });

  it('keeps a deletion open until the host that has the file confirms it', async () => {
    const { rig, host } = await switched(1);
    const [record] = await rig.records();
    if (record === undefined) throw new Error('no record');
    await rig.catalog.beginDelete(record.id);
    const notes = (of: MediaHost) =>
      createDeletionNotes(of, { host: { folder: 'holdfast' }, sync: { snapshots: true } }, silentLogger);
    const remove = (of: MediaHost) =>
      removeRecord(
        { catalog: rig.catalog, host: of, deletionNotes: notes(of) },
        record,
        AbortSignal.timeout(5_000),
      );
    expect(await remove(host)).toBe('on another host');
    expect(await rig.catalog.find(record.id)).toMatchObject({ status: 'deleting' });
    expect(await rig.host.find(record)).not.toBeNull();
    expect(await remove(rig.host)).toBe('removed');
    expect(await rig.catalog.find(record.id)).toBeNull();
    expect(await rig.host.find(record)).toBeNull();
  });

  it('keeps an edit for the host that has the file', async () => {
    const { rig, host } = await switched(1);
    const [record] = await rig.records();
    if (record === undefined) throw new Error('no record');
    await rig.catalog.saveIf({ ...record, title: 'edited', revision: 2 }, record);
    const push = (of: MediaHost) => pushRecord({ ...rig, host: of }, record.id, AbortSignal.timeout(5_000));
    expect(await push(host)).toMatchObject({ outcome: 'missing' });
    expect(await rig.catalog.find(record.id)).toMatchObject({ title: 'edited', pushedRevision: 1 });
    expect(await push(rig.host)).toMatchObject({ outcome: 'pushed' });
  });
});

describe('a catalog that belongs to the configured host', () => {
  it('is new or has no record yet, whatever was configured before', async () => {
    const { rig, host, settle, catalogHost } = await switched(0);
    expect(await catalogHost.read()).toBe('local');
    expect(await settle(host)).toBeNull();
    expect(await catalogHost.read()).toBe(host.identity);
    expect(await settle(rig.host)).toBeNull();
  });

  it('is one of 0.1.0 once a full sync has found its records, and the folder of an earlier try is given up', async () => {
    const { rig, host, settle, fullSync, catalogHost } = await switched(1);
    const [tried] = await rig.records();
    if (tried === undefined) throw new Error('no record');
    // As 0.1.0 left it after the try, and a forced sync on Cloudinary.
    await rig.redis.del(rig.keys.host);
    await rig.catalog.markMissing([tried.id], null);
    expect(await settle(host)).toBeNull();
    expect(await catalogHost.read()).toBeNull();
    expect(await fullSync()).toMatchObject({ result: 'ok', findings: [] });
    expect(await catalogHost.read()).toBe(host.identity);
    expect(await folderHost(rig.settings.dataDir)).toBe(host.identity);
    await rig.redis.flushall();
    expect(await settle(host)).toBeNull();
  });

  it.each([{ CLOUDINARY_FOLDER: 'elsewhere' }, { CLOUDINARY_SYNC_PREFIX: 'mine/' }])(
    'is the same with another folder or prefix (%o)',
    async (env) => {
      const rig = await openSyncRig(sandbox, 'cloudinary', { emptied: true });
      const catalogHost = createCatalogHost(rig.redis, rig.keys);
      for (let n = 0; n < 30; n += 1) await rig.upload();
      await rig.sync();
      expect(await catalogHost.read()).toBe('cloudinary:emulated-cloud');
      const other = await cloudOf(rig, { CLOUDINARY_URL: rig.emulator?.cloudinaryUrl, ...env });
      const parts = {
        catalogHost,
        catalog: rig.catalog,
        syncState: rig.state,
        settings: rig.settings,
      };
      expect(await settleHost({ ...parts, host: other.host, log: silentLogger })).toBeNull();
      const run = await other.fullSync();
      expect(run?.findings.map(({ code }) => code)).not.toContain('HOST_CHANGED');
      expect(run).toMatchObject({ missing: 0 });
    },
  );

  it('is another one with another cloud', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary', { emptied: true });
    await rig.upload();
    await rig.sync();
    const emulator = await startCloudinaryEmulator({ cloudName: 'second-cloud' });
    onTestFinished(() => emulator.close());
    const { fullSync } = await cloudOf(rig, { CLOUDINARY_URL: emulator.cloudinaryUrl });
    const run = await fullSync();
    expect(run).toMatchObject({ result: 'partial', missing: 0 });
    expect(run?.findings.map(({ code }) => code)).toEqual(['HOST_CHANGED']);
  });
});
