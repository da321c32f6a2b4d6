import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fault } from '@holdfast/cloudinary-emulator';
import { HoldfastError } from '@holdfast/foundation/errors';
import { newMediaId } from '@holdfast/shared/media';
import { groupFiles, manifestName, partName, snapshotPrefix } from '@holdfast/shared/snapshot';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

/** Short, since hosts that do not answer are waited for. */
const PAGE_MS = 400;
const open = async (pageMs = PAGE_MS) => {
  const rig = await openSyncRig(sandbox, 'cloudinary', {
    env: { CATALOG_SNAPSHOT: 'true' },
    timeouts: { pageMs },
  });
  if (rig.emulator === undefined) throw new Error('no emulator');
  return { ...rig, emulator: rig.emulator };
};
/** Uploads a file, and puts it into a snapshot, whose id it returns. */
const snapshot = async (rig: SyncRig): Promise<string> => {
  await rig.upload();
  await rig.sync();
  const [newest] = groupFiles('holdfast', await rig.host.listFiles(snapshotPrefix('holdfast')));
  return newest?.id ?? '';
};
const recover = async (rig: SyncRig, ...[over]: Parameters<SyncRig['worker']>) => {
  await rig.redis.flushall();
  await rig.worker(over)({ trigger: 'recovery', mode: 'full', runId: 'r' });
  const run = await rig.state.findRun('r');
  const found = (code: string) => run?.findings.find((finding) => finding.code === code);
  return { run, refused: found('SNAPSHOT_REFUSED')?.ids, restored: found('SNAPSHOT_RESTORED')?.count };
};

const faults: [string, Fault][] = [
  ['is answered with 401', { kind: 'error', status: 401 }],
  ['is answered with 403', { kind: 'error', status: 403 }],
  ['is answered with 404', { kind: 'error', status: 404 }],
  ['is answered with 429', { kind: 'rate-limit', status: 429 }],
  ['is answered with 500', { kind: 'error', status: 500 }],
  ['is answered with 503 and a page of HTML', { kind: 'html', status: 503 }],
  ['is answered with 200 and a page of HTML', { kind: 'garbage', body: '<html>', effect: 'none' }],
  ['is cut off', { kind: 'cut-response' }],
  ['is not answered', { kind: 'silence', ms: 60_000 }],
  ['drips', { kind: 'slow-body', bytesPerSecond: 10 }],
  ['is redirected for ever', { kind: 'redirect' }],
  ['is redirected to another host', { kind: 'redirect', to: 'http://127.0.0.1:1/x' }],
];

describe('a recovery from a host that lists its assets', () => {
  it.each(faults)('ends by listing them where each download %s', async (_case, fault) => {
    const rig = await open();
    await snapshot(rig);
    await snapshot(rig);
    await rig.emulator.faults.add({ ...fault, match: { endpoint: 'download' }, count: null });
    const { run, refused } = await recover(rig);
    expect(run).toMatchObject({ result: 'ok', created: 2, listed: 2 });
    expect(refused).toHaveLength(2);
    expect((await rig.records()).map(({ status }) => status)).toEqual(['verified', 'verified']);
    expect((await rig.state.read()).lastFullAt).not.toBeNull();
    expect(rig.host.health()).toMatchObject({ circuit: 'closed', reachable: true });
  });

  it.each(faults)('ends by listing them where each file of deletions %s', async (_case, fault) => {
    const rig = await open();
    const id = await snapshot(rig);
    await rig.deletionNotes.add(newMediaId(), AbortSignal.timeout(5_000));
    await rig.emulator.faults.add({ ...fault, match: { endpoint: 'download' }, count: null });
    const { run, refused } = await recover(rig);
    expect(run).toMatchObject({ result: 'ok', created: 1, listed: 1 });
    expect(refused).toEqual([`${id} (deletions unread)`]);
  });

  it.each([
    ['manifest', manifestName('holdfast', 'ID')],
    ['part', partName('holdfast', 'ID', 1)],
  ])('uses the older snapshot where a %s of the newest is not given in three rounds', async (_case, name) => {
    const rig = await open();
    await snapshot(rig);
    const newest = await snapshot(rig);
    const match = { endpoint: 'download', publicId: name.replace('ID', newest) };
    await rig.emulator.faults.add({ kind: 'html', status: 503, match, count: 3 });
    const { run, refused, restored } = await recover(rig);
    expect([refused, restored]).toEqual([[`${newest} (unreachable)`], 1]);
    expect(run).toMatchObject({ result: 'ok', created: 2 });
  });

  it('uses the newest snapshot where a part is given in the third round', async () => {
    const rig = await open();
    await snapshot(rig);
    // After the manifest.
    const second = { match: { endpoint: 'download' }, skip: 1 };
    await rig.emulator.faults.add({ kind: 'silence', ms: 60_000, ...second });
    await rig.emulator.faults.add({ kind: 'html', status: 503, ...second });
    const { refused, restored } = await recover(rig);
    expect([refused, restored]).toEqual([undefined, 1]);
  });

  it.each(['HOST_TIMEOUT', 'HOST_REJECTED'] as const)(
    'lists them where the list of files fails with %s',
    async (code) => {
      const rig = await open();
      await snapshot(rig);
      const listFiles = () => Promise.reject(new HoldfastError(code));
      const { run, refused } = await recover(rig, { host: { ...rig.host, listFiles } });
      expect(run).toMatchObject({ result: 'ok', created: 1 });
      expect(refused).toEqual(['all (unreachable)']);
    },
  );

  it('lists them where the answer about the files is garbage three times', async () => {
    const rig = await open();
    await snapshot(rig);
    const match = { endpoint: 'list', resourceType: 'raw' } as const;
    await rig.emulator.faults.add({ kind: 'garbage', effect: 'none', match, count: 3 });
    const { run, refused } = await recover(rig);
    expect(run).toMatchObject({ result: 'ok', created: 1 });
    expect(refused).toEqual(['all (unreachable)']);
  });

  it('finds missing what a snapshot brought back that it could not read to its end', async () => {
    const rig = await open(10_000);
    // Images come first in a snapshot.
    const lost = await rig.upload();
    await rig.emulator.assets.seed(1_200, { resourceType: 'video', publicId: 'videos/{n}' });
    await rig.worker({ snapshotPartBytes: 5_000 })({ mode: 'full' });
    const [newest] = groupFiles('holdfast', await rig.host.listFiles(snapshotPrefix('holdfast')));
    await rig.host.remove(lost);
    // All but the last part.
    const skip = newest?.parts.length ?? 0;
    expect(skip).toBeGreaterThan(2);
    await rig.emulator.faults.add({ kind: 'error', match: { endpoint: 'download' }, skip, count: null });
    const { run, refused } = await recover(rig);
    expect(run).toMatchObject({ result: 'ok', listed: 1_200, missing: 1 });
    expect(refused).toEqual([`${newest?.id ?? ''} (unreachable)`]);
    expect((await rig.find(lost))?.status).toBe('missing');
  });

  it('begins with the snapshots again where the listing fails as well', async () => {
    const rig = await open();
    await snapshot(rig);
    await rig.emulator.faults.add({ kind: 'error', match: { endpoint: 'download' }, count: 3 });
    await rig.emulator.faults.add({ kind: 'error', match: { endpoint: 'list' }, skip: 1, count: 3 });
    await expect(recover(rig)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
    await rig.worker()({ trigger: 'recovery', mode: 'full', runId: 'r' }, undefined, 2);
    const codes = (await rig.state.findRun('r'))?.findings.map(({ code }) => code);
    expect(codes).toEqual(['CATALOG_REBUILDING', 'SNAPSHOT_RESTORED']);
  });
});
