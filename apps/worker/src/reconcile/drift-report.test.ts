import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { MediaHost } from '@holdfast/shared/media-host';
import { DRIFT_KEPT, type DriftItem } from '@holdfast/shared/sync';
import { proofOf, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { report, words } from '../../test/support/drift-report.js';
import { openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

/** Removes the run's lease, as the death of its worker does after a while. */
const die = (rig: SyncRig) => sandbox.client.del(rig.keys.syncLease);

const running = () => ({ run: { runId: 'r', mode: 'full' as const, dryRun: false }, progress: {} });

describe('the drift report', () => {
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
    await rig.catalog.markVerified('written', new Date(), [proofOf(rig.recordOf(lost))]);
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
      server: {
        judged: () => {
          if (pages >= 2) stop.abort();
          return stop.signal.aborted
            ? Promise.reject(new HoldfastError('CATALOG_UNAVAILABLE'))
            : Promise.resolve();
        },
      },
    });
    await expect(dying({ mode: 'full', runId: 'r' }, stop.signal)).rejects.toMatchObject({
      name: 'HandBack',
    });
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

  it('accepts nothing from a worker that lost the lease', async () => {
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
    await expect(rig.state.noteDrift('1', running(), [item])).rejects.toMatchObject({
      code: 'RUN_SUPERSEDED',
    });
    expect(await sandbox.client.exists(rig.keys.syncDriftOf('r'))).toBe(0);
  });

  // More at once than Lua passes on to one command.
  it('keeps a number of items of each kind, reports that, and still accepts corrections of those', async () => {
    const rig = await openSyncRig(sandbox, 'local');
    const token = (await rig.state.begin()).token ?? '';
    const item = (n: number): DriftItem => ({
      kind: 'host-only',
      code: 'NOT_IN_CATALOG',
      id: `i${String(n)}`,
      publicId: `p${String(n)}`,
      assetId: `a${String(n)}`,
      detail: '',
      action: 'created',
    });
    const full = running();
    const note = (items: DriftItem[]) => rig.state.noteDrift(token, full, items);
    for (let n = 0; n < DRIFT_KEPT - 1; n += 5_000)
      await note(Array.from({ length: Math.min(5_000, DRIFT_KEPT - 1 - n) }, (_, i) => item(n + i)));
    const missing: DriftItem = { ...item(0), kind: 'catalog-only', code: 'MISSING', action: 'left' };
    expect(await note([missing])).toEqual([missing]);
    expect(await note([item(DRIFT_KEPT), item(DRIFT_KEPT + 1)])).toEqual([item(DRIFT_KEPT)]);
    expect(await note([item(DRIFT_KEPT + 2)])).toEqual([]);
    await rig.state.correctDrift(token, 'r', item(7), { ...item(7), action: 'failed' });
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
    expect(stats).not.toMatch(/cmdstat_zlexcount:|cmdstat_zrangebylex:/);
    await rig.foreign('others/new');
    expect(await rig.sync({ mode: 'incremental' })).toMatchObject({ created: 1 });
    expect(await sandbox.client.info('commandstats')).not.toMatch(/cmdstat_zlexcount:/);
  });
});
