import { afterAll, beforeAll, expect, it } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import { silentLogger } from '@holdfast/foundation/logging';
import { groupFiles, snapshotPrefix } from '@holdfast/shared/snapshot';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';
import { syncDependencies } from '../sync-run/sync-session.js';
import { dailySnapshot } from './take-snapshot.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const HOUR_MS = 3_600_000;
const never = new AbortController().signal;

const open = (snapshots = 'true'): Promise<SyncRig> =>
  openSyncRig(sandbox, 'local', { env: { CATALOG_SNAPSHOT: snapshots } });

/** What the watch of one worker does, so many hours from now. */
const askIn = ({ parts }: SyncRig, hours: number): Promise<void> => {
  const now = (): number => Date.now() + hours * HOUR_MS;
  return dailySnapshot({ ...syncDependencies({ ...parts, now }), log: silentLogger }, never);
};
const count = async ({ host }: SyncRig): Promise<number> =>
  groupFiles('holdfast', await host.listFiles(snapshotPrefix('holdfast'))).filter(
    ({ manifest }) => manifest !== null,
  ).length;

async function openWithOneDelete(): Promise<SyncRig> {
  const rig = await open();
  const asset = await rig.upload();
  await rig.sync();
  await rig.catalog.beginDelete(rig.recordOf(asset).id);
  expect(await count(rig)).toBe(1);
  return rig;
}

it('is taken without any sync, a day after the last one, by one worker of several', async () => {
  const rig = await openWithOneDelete();
  await askIn(rig, 23);
  expect(await count(rig)).toBe(1);
  await Promise.all([askIn(rig, 25), askIn(rig, 25), askIn(rig, 25)]);
  expect(await count(rig)).toBe(2);
  await askIn(rig, 26);
  expect(await count(rig)).toBe(2);
  // Nobody is kept waiting for the lease.
  expect((await rig.state.begin()).token).not.toBeNull();
});

it('is left to the run that is at work', async () => {
  const rig = await openWithOneDelete();
  const { token } = await rig.state.begin();
  await askIn(rig, 25);
  expect(await count(rig)).toBe(1);
  await rig.state.release(token ?? '');
  await askIn(rig, 25);
  expect(await count(rig)).toBe(2);
});

it('is not taken of an emptied catalog, where nothing changed, or where snapshots are off', async () => {
  const rig = await open();
  await rig.upload();
  await rig.sync();
  await askIn(rig, 25);
  expect(await count(rig)).toBe(1);
  await sandbox.client.flushall();
  await askIn(rig, 25);
  expect(await count(rig)).toBe(1);
  const off = await open('false');
  await off.upload();
  await off.sync();
  await askIn(off, 25);
  expect(await count(off)).toBe(0);
});

it('says why it failed, and is tried again', async () => {
  const rig = await openWithOneDelete();
  const putFile = rig.parts.host.putFile.bind(rig.parts.host);
  rig.parts.host.putFile = () => Promise.reject(new HoldfastError('STORAGE_FULL'));
  await askIn(rig, 25);
  expect((await rig.state.read()).recentErrors).toMatchObject([{ code: 'STORAGE_FULL' }]);
  rig.parts.host.putFile = putFile;
  await askIn(rig, 26);
  expect(await count(rig)).toBe(2);
});
