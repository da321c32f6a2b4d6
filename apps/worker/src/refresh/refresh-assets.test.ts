import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIntents } from '@holdfast/shared/intents';
import { HandBack } from '@holdfast/shared/jobs';
import type { HostAsset } from '@holdfast/shared/media-host';
import { proofOf, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openRefreshRig } from '../../test/support/refresh-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

describe('a notification', () => {
  it('of an upload by others brings in a verified record', async () => {
    const rig = await openRefreshRig(sandbox);
    const asset = await rig.foreign('cats/tom', { caption: 'Tom' }, ['cat']);
    await rig.refresh('uploaded', asset);
    expect(await rig.find(asset)).toMatchObject({
      id: `cld-${asset.assetId}`,
      status: 'verified',
      source: 'webhook',
      title: 'Tom',
      tags: ['cat'],
    });
    // A full sync finds nothing to change.
    expect(await rig.sync()).toMatchObject({ created: 0, updated: 0, unchanged: 1 });
    expect(await rig.find(asset)).toMatchObject({ source: 'webhook' });
  });

  it('of changed tags and context brings them in, as a new revision where the asset is ours', async () => {
    const rig = await openRefreshRig(sandbox);
    const foreign = await rig.foreign('cats/tom');
    const own = await rig.upload({ title: 'Before', tags: ['sea'] });
    await rig.sync();
    await rig.cloud.assets.edit(foreign.assetId, { tags: ['new'], context: { caption: 'New' } });
    await rig.cloud.assets.edit(own.assetId, { tags: ['hill'], context: { ...own.context, title: 'After' } });
    await rig.refresh('changed', foreign, own);
    expect(await rig.find(foreign)).toMatchObject({ title: 'New', tags: ['new'], status: 'verified' });
    expect(await rig.find(own)).toMatchObject({ title: 'After', tags: ['hill'], revision: 2 });
    const jobs = await rig.queues.queues.save.getJobs(['waiting']);
    expect(jobs.map((job) => job.data as unknown)).toMatchObject([
      { id: (await rig.find(own))?.id, revision: 2 },
    ]);
  });

  it('of a deletion marks the record missing once the host confirms it, and an upload brings it back', async () => {
    const rig = await openRefreshRig(sandbox);
    const asset = await rig.upload();
    await rig.sync();
    const before = await rig.find(asset);
    // The host still has it: the notification was wrong, or early.
    await rig.refresh('deleted', asset);
    expect(await rig.find(asset)).toEqual(before);
    await rig.cloud.assets.remove(asset.assetId);
    await rig.refresh('deleted', asset);
    await rig.refresh('deleted', asset);
    expect(await rig.find(asset)).toMatchObject({ status: 'missing' });
    const back = await rig.putBack(asset);
    await rig.refresh('uploaded', back);
    expect(await rig.find(asset)).toMatchObject({ status: 'verified', assetId: back.assetId });
  });

  it.each(['sync', 'webhook'] as const)(
    'or a sync brings back the record of a foreign asset that first came in with a %s',
    async (source) => {
      const rig = await openRefreshRig(sandbox);
      const asset = await rig.foreign('cats/tom');
      const ways = [() => rig.sync(), () => rig.refresh('uploaded', asset)];
      if (source === 'webhook') await rig.refresh('uploaded', asset);
      else await rig.sync();
      for (const bringBack of ways) {
        await rig.catalog.markMissing([rig.recordOf(asset).id], null);
        await bringBack();
        expect(await rig.find(asset)).toMatchObject({ status: 'verified', source });
      }
    },
  );

  it('of a deletion says nothing about another asset that has taken the name', async () => {
    const rig = await openRefreshRig(sandbox);
    const old = await rig.foreign('cats/tom');
    await rig.sync();
    await rig.cloud.assets.remove(old.assetId);
    const next = await rig.foreign('cats/tom', { caption: 'Next' });
    await rig.refresh('deleted', old);
    expect(await rig.find(old)).toMatchObject({ status: 'missing' });
    expect(await rig.find(next)).toMatchObject({ status: 'verified', title: 'Next' });
  });

  it('S20: of our own deletion finishes it, and never brings back what was deleted here', async () => {
    const rig = await openRefreshRig(sandbox);
    const asset = await rig.upload();
    await rig.sync();
    const id = (await rig.find(asset))?.id ?? '';
    expect(await rig.catalog.beginDelete(id)).toBe('deleting');
    await rig.host.remove(asset);
    await rig.refresh('deleted', asset);
    expect(await rig.catalog.find(id)).toBeNull();
    const again = await rig.putBack(asset);
    await rig.refresh('uploaded', again);
    expect(await rig.catalog.find(id)).toBeNull();
    expect(await rig.host.find(again)).toBeNull();
  });

  it('of a deletion waits for a record that is just being saved', async () => {
    const rig = await openRefreshRig(sandbox);
    const asset = await rig.upload();
    await rig.catalog.save(rig.recordOf(asset));
    await rig.cloud.assets.remove(asset.assetId);
    await expect(rig.refresh('deleted', asset)).rejects.toBeInstanceOf(HandBack);
    await rig.catalog.markVerified('fsynced', new Date(), [proofOf(rig.recordOf(asset))]);
    await rig.refresh('deleted', asset);
    expect(await rig.find(asset)).toMatchObject({ status: 'missing' });
  });

  it.each(['bring it in', 'restore it'])(
    'of a deletion comes again where a run that is under way may %s',
    async (what) => {
      const rig = await openRefreshRig(sandbox);
      const asset = await rig.foreign('cats/tom');
      if (what === 'restore it') {
        await rig.sync();
        await rig.catalog.markMissing([rig.recordOf(asset).id], null);
      }
      let stale: HostAsset | null = null;
      const told: unknown[] = [];
      const goes = async (found: HostAsset | null): Promise<void> => {
        if (found === null || stale !== null) return;
        stale = found;
        await rig.cloud.assets.remove(asset.assetId);
        told.push(await rig.refresh('deleted', asset).catch((error: unknown) => error));
      };
      const list: typeof rig.host.list = async (...of) => {
        const page = await rig.host.list(...of);
        if (what === 'bring it in') await goes(page.assets[0] ?? null);
        return page;
      };
      const find: typeof rig.host.find = async (...of) => {
        const found = await rig.host.find(...of);
        await goes(found);
        return found;
      };
      await rig.worker({ host: { ...rig.host, list, find } })({ mode: 'full' });
      expect(told).toEqual([expect.any(HandBack)]);
      expect(await rig.find(asset)).toMatchObject({ status: 'verified' });
      await rig.refresh('deleted', asset);
      expect(await rig.find(asset)).toMatchObject({ status: 'missing' });
    },
  );

  it('of a rename keeps the record under its id', async () => {
    const rig = await openRefreshRig(sandbox);
    const foreign = await rig.foreign('cats/tom');
    const own = await rig.upload({ title: 'Mine' });
    await rig.sync();
    const id = (await rig.find(own))?.id ?? '';
    await rig.cloud.assets.rename(foreign.assetId, 'cats/jerry');
    await rig.cloud.assets.rename(own.assetId, 'elsewhere/mine');
    await rig.refresh(
      'changed',
      { ...foreign, publicId: 'cats/jerry' },
      { ...own, publicId: 'elsewhere/mine' },
    );
    expect(await rig.find(foreign)).toMatchObject({ publicId: 'cats/jerry', status: 'verified' });
    expect(await rig.catalog.find(id)).toMatchObject({ publicId: 'elsewhere/mine', title: 'Mine' });
    expect((await rig.catalog.counts()).total).toBe(2);
  });

  it('of an upload through us costs the host no question', async () => {
    const rig = await openRefreshRig(sandbox);
    const asset = await rig.upload();
    await rig.sync();
    await rig.cloud.requests.reset();
    await rig.refresh('uploaded', asset);
    expect((await rig.cloud.requests.counters()).total).toBe(0);
  });

  it('leaves an upload that is under way to its jobs', async () => {
    const rig = await openRefreshRig(sandbox);
    const asset = await rig.upload({}, { state: 'started', deadlineSeconds: 60 });
    const { id } = rig.recordOf(asset);
    await createIntents(rig.redis, rig.keys).open(id, asset.publicId, 1_000);
    await rig.refresh('uploaded', asset);
    expect(await rig.catalog.find(id)).toBeNull();
    expect(await rig.host.find(asset)).not.toBeNull();
  });

  it('ignores an asset outside of the synced prefix', async () => {
    const rig = await openRefreshRig(sandbox, { env: { CLOUDINARY_SYNC_PREFIX: 'mine/' } });
    await rig.refresh('uploaded', await rig.foreign('theirs/x'), await rig.foreign('mine/x'));
    expect((await rig.records()).map(({ publicId }) => publicId)).toEqual(['mine/x']);
  });

  it('is tried again when the host does not answer', async () => {
    const rig = await openRefreshRig(sandbox);
    const asset = await rig.foreign('cats/tom');
    await rig.cloud.faults.add({ kind: 'error', match: { endpoint: 'explicit' } });
    await expect(rig.refresh('uploaded', asset)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
    await rig.refresh('uploaded', asset);
    expect(await rig.find(asset)).toMatchObject({ status: 'verified' });
  });

  it('outlasts a host that is away for long, but not for ever', async () => {
    const rig = await openRefreshRig(sandbox);
    const asset = await rig.foreign('cats/tom');
    await rig.cloud.faults.add({ kind: 'error', match: { endpoint: 'explicit' }, count: null });
    await expect(rig.lastAttempt(asset, 60_000)).rejects.toBeInstanceOf(HandBack);
    await expect(rig.lastAttempt(asset, 3_600_000)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  });
});

it('waits for the recovery of an emptied catalog: what was deleted must not come in', async () => {
  const rig = await openRefreshRig(sandbox, { emptied: true });
  const asset = await rig.upload();
  await expect(rig.refresh('changed', asset)).rejects.toMatchObject({ name: 'HandBack', delayMs: 2_000 });
  await expect(rig.lastAttempt(asset, 30_000)).rejects.toMatchObject({
    delayMs: expect.closeTo(30_000, -3) as number,
  });
  await expect(rig.lastAttempt(asset, 10 * 60_000)).rejects.toMatchObject({ delayMs: 60_000 });
  expect(await rig.records()).toEqual([]);
  await rig.sync();
  await rig.refresh('changed', asset);
  expect(await rig.records()).toHaveLength(1);
});

it('does not wait for ever for a host that gives no listing', async () => {
  const rig = await openRefreshRig(sandbox, { emptied: true });
  const asset = await rig.upload();
  await rig.lastAttempt(asset, 21 * 60_000);
  expect(await rig.records()).toHaveLength(1);
});
