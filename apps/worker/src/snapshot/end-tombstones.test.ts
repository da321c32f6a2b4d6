import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCatalogHost } from '@holdfast/shared/catalog-host';
import { HoldfastError } from '@holdfast/foundation/errors';
import { removeRecord } from '@holdfast/shared/removal';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';
import { tombstonesEndBefore } from './take-snapshot.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const HOUR_MS = 3_600_000;
const soon = () => AbortSignal.timeout(5_000);

const open = (snapshots: boolean, seenBy?: Parameters<typeof openSyncRig>[2]): Promise<SyncRig> =>
  openSyncRig(sandbox, 'local', { env: { CATALOG_SNAPSHOT: String(snapshots) }, ...seenBy });

/** An upload, and a full sync that snapshots it, as so much later. */
async function syncAfter(rig: SyncRig, hours: number): Promise<void> {
  await rig.upload();
  await rig.worker({ now: () => Date.now() + hours * HOUR_MS })({ mode: 'full' });
}

/** As if it had been deleted so long ago. */
async function deletedAgo({ redis, keys }: SyncRig, id: string, hours: number): Promise<void> {
  await redis.zadd(keys.tombstones, 'XX', Date.now() - hours * HOUR_MS, id);
}

describe('a tombstone', () => {
  it('ends a day after the deletion at the earliest, once it is confirmed and every kept snapshot is younger', async () => {
    const rig = await open(true);
    const [gone, waits] = [await rig.upload(), await rig.upload()];
    await rig.sync();
    const [record, unconfirmed] = [rig.recordOf(gone), rig.recordOf(waits)];
    for (const { id } of [record, unconfirmed]) await rig.catalog.beginDelete(id);
    await removeRecord(rig, record, soon());
    const stays = () =>
      Promise.all([record.id, `cld-${gone.assetId}`, unconfirmed.id].map(rig.catalog.isTombstoned));
    // The oldest snapshot that is kept does not know of the deletion.
    for (const hours of [27, 28]) await syncAfter(rig, hours);
    expect(await stays()).toEqual([true, true, true]);
    await syncAfter(rig, 29);
    expect(await stays()).toEqual([false, false, true]);
    expect((await rig.catalog.find(unconfirmed.id))?.status).toBe('deleting');

    // Nothing brings it back, also not a snapshot that still has the tombstone.
    await rig.redis.flushall();
    await rig.sync({ trigger: 'recovery', mode: 'full' });
    expect(await rig.catalog.find(record.id)).toBeNull();
  });

  it('does not end within a day, whatever the snapshots are', async () => {
    const rig = await open(true);
    const gone = await rig.upload();
    await rig.sync();
    const record = rig.recordOf(gone);
    await rig.catalog.beginDelete(record.id);
    await removeRecord(rig, record, soon());
    for (const hours of [1, 2, 3, 24]) await syncAfter(rig, hours);
    expect(await rig.catalog.isTombstoned(record.id)).toBe(true);
    await syncAfter(rig, 26);
    expect(await rig.catalog.isTombstoned(record.id)).toBe(false);
  });

  it('starts its time again while the host shows the asset', async () => {
    let refuses = true;
    const rig = await open(true, {
      seenBy: (host) => ({
        ...host,
        remove: (...args) =>
          refuses ? Promise.reject(new HoldfastError('HOST_TIMEOUT')) : host.remove(...args),
      }),
    });
    const asset = await rig.upload();
    await rig.sync();
    const { id } = rig.recordOf(asset);
    await rig.catalog.beginDelete(id);
    await rig.host.remove(asset);
    await rig.catalog.finishDelete(id);
    await rig.putBack(asset);
    await deletedAgo(rig, id, 40);
    await rig.sync();
    expect(await rig.catalog.isTombstoned(id)).toBe(true);
    refuses = false;
    await rig.sync();
    expect(await rig.host.find(asset)).toBeNull();
    await deletedAgo(rig, id, 40);
    await rig.sync();
    expect(await rig.catalog.isTombstoned(id)).toBe(false);
  });

  it('ends after thirty days where there are no snapshots', async () => {
    const rig = await open(false);
    const [old, older] = [await rig.upload(), await rig.upload()].map(rig.recordOf);
    await rig.sync();
    for (const record of [old, older]) {
      await rig.catalog.beginDelete(record?.id ?? '');
      if (record !== undefined) await removeRecord(rig, record, soon());
    }
    await deletedAgo(rig, old?.id ?? '', 29 * 24);
    await deletedAgo(rig, older?.id ?? '', 31 * 24);
    await rig.sync({ mode: 'incremental' });
    expect(await rig.catalog.isTombstoned(older?.id ?? '')).toBe(true);
    await rig.sync();
    expect(await rig.catalog.isTombstoned(older?.id ?? '')).toBe(false);
    expect(await rig.catalog.isTombstoned(old?.id ?? '')).toBe(true);
  });

  it('does not end by a full sync of another host than the one of the catalog', async () => {
    const rig = await open(false);
    await rig.upload();
    await rig.sync();
    const [record] = await rig.records();
    if (record === undefined) throw new Error('no record');
    await removeRecord(rig, record, soon());
    await deletedAgo(rig, record.id, 31 * 24);
    const catalogHost = createCatalogHost(rig.redis, rig.keys);
    await catalogHost.set('cloudinary:elsewhere');
    expect(await rig.sync()).toMatchObject({ result: 'partial' });
    expect(await rig.catalog.isTombstoned(record.id)).toBe(true);
    await catalogHost.set(rig.host.identity);
    expect(await rig.sync()).toMatchObject({ result: 'ok' });
    expect(await rig.catalog.isTombstoned(record.id)).toBe(false);
  });

  it('ends by the thousand, past those that are still being deleted', async () => {
    const rig = await open(false);
    const waiting = await Promise.all(Array.from({ length: 3 }, () => rig.upload()));
    await rig.sync();
    for (const asset of waiting) await rig.catalog.beginDelete(rig.recordOf(asset).id);
    for (const asset of waiting) await deletedAgo(rig, rig.recordOf(asset).id, 50 * 24);
    const ancient = Date.now() - 40 * 24 * HOUR_MS;
    const others = Array.from({ length: 1_200 }, (_, index) => [ancient, `cld-${String(index)}`]).flat();
    await rig.redis.zadd(rig.keys.tombstones, ...others);
    const token = (await rig.state.begin()).token ?? '';
    expect(await rig.catalog.endTombstones(Date.now() - 30 * 24 * HOUR_MS, token)).toBe(1_200);
    expect(await rig.redis.zcard(rig.keys.tombstones)).toBe(3);
    await expect(rig.catalog.endTombstones(Date.now(), 'another')).rejects.toMatchObject({
      code: 'RUN_SUPERSEDED',
    });
  });
});

describe('the time before which tombstones end', () => {
  const nowMs = Date.parse('2026-03-10T00:00:00Z');
  const before = (
    lastFullAt: string | null,
    snapshotsSince: string | null,
    snapshots = true,
  ): string | null => {
    const ms = tombstonesEndBefore({ lastFullAt, snapshotsSince }, snapshots, nowMs);
    return ms === null ? null : new Date(ms).toISOString();
  };

  it.each([
    ['the oldest snapshot', '2026-03-09T12:00:00Z', '2026-03-06T00:00:00Z', '2026-03-05T23:50:00.000Z'],
    ['the last full sync', '2026-03-01T00:00:00Z', '2026-03-06T00:00:00Z', '2026-02-28T23:50:00.000Z'],
    ['a day and an hour', '2026-03-09T23:00:00Z', '2026-03-09T22:00:00Z', '2026-03-08T23:00:00.000Z'],
  ])('is that of %s', (_case, lastFullAt, snapshotsSince, expected) => {
    expect(before(lastFullAt, snapshotsSince)).toBe(expected);
  });

  it('is not known before a full sync, nor while the snapshots are unknown', () => {
    expect(before(null, '2026-03-06T00:00:00Z')).toBeNull();
    expect(before('2026-03-09T12:00:00Z', null)).toBeNull();
    expect(before('2026-03-09T12:00:00Z', null, false)).toBe('2026-02-08T00:00:00.000Z');
  });
});
