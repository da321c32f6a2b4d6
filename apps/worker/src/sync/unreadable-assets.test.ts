import { afterAll, beforeAll, expect, it } from 'vitest';
import { HandBack } from '@holdfast/shared/jobs';
import type { HostAsset } from '@holdfast/shared/media-host';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openRefreshRig, type RefreshRig } from '../../test/support/refresh-rig.js';
import { openSyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

/** An item of an answer without what every asset has, and perhaps without the names. */
function flawed(asset: HostAsset, names = true): object {
  return names
    ? { asset_id: asset.assetId, public_id: asset.publicId }
    : { resource_type: asset.resourceType };
}

function whole({ assetId, publicId, ...asset }: HostAsset): object {
  return {
    asset_id: assetId,
    public_id: publicId,
    resource_type: asset.resourceType,
    format: asset.format,
    version: asset.version,
    created_at: asset.createdAt,
    uploaded_at: asset.uploadedAt,
    bytes: asset.bytes,
    width: asset.width,
    height: asset.height,
    secure_url: asset.url,
    etag: asset.etag,
    context: { custom: asset.context },
    tags: asset.tags,
  };
}

/** Answers of this endpoint, all from now on or so many, show these. */
async function show(rig: RefreshRig, endpoint: string, resources: object[], count: number | null = null) {
  const body = JSON.stringify({ resources });
  const match = { endpoint, ...(endpoint === 'list' ? { resourceType: 'image' as const } : {}) };
  await rig.cloud.faults.add({ kind: 'garbage', body, count, match });
}

it.each([true, false])(
  'counts and reports an asset that cannot be read, and never marks it missing (names shown: %s)',
  async (names) => {
    const rig = await openRefreshRig(sandbox);
    const [odd, gone, ...others] = [
      await rig.upload(),
      await rig.upload(),
      await rig.upload(),
      await rig.upload(),
    ];
    await rig.sync();
    await show(rig, 'list', [flawed(odd, names), ...others.map(whole)]);
    // It was renamed as well: by its name the host denies it.
    await show(rig, 'list-by-asset-ids', [flawed(odd, names)]);
    await rig.cloud.assets.remove(gone.assetId, { quiet: true });
    await rig.cloud.assets.rename(odd.assetId, 'elsewhere', { quiet: true });
    const run = await rig.sync();
    // Where nobody knows which asset is there, none counts as gone.
    expect(run).toMatchObject({ result: 'ok', listed: 2, errors: 1, missing: names ? 1 : 0 });
    expect(run.findings).toMatchObject([
      { code: 'ASSETS_UNREADABLE', severity: 'warning', count: 1, ids: names ? [odd.assetId] : [] },
    ]);
    expect(await rig.find(odd)).toMatchObject({ status: 'verified' });
  },
);

it('continues where the only asset of a type cannot be read and those of another can', async () => {
  const rig = await openRefreshRig(sandbox, { emptied: true });
  await rig.upload();
  const body = JSON.stringify({ resources: [{ asset_id: 'odd', public_id: 'others/odd.txt' }] });
  const match = { endpoint: 'list', resourceType: 'raw' } as const;
  await rig.cloud.faults.add({ kind: 'garbage', body, match, count: null });
  const run = await rig.sync({ trigger: 'recovery' });
  expect(run).toMatchObject({ result: 'ok', listed: 1, created: 1, errors: 1 });
  expect(run.findings.map(({ code, ids }) => [code, ids])).toContainEqual(['ASSETS_UNREADABLE', ['odd']]);
});

it('fails on a page of which more than half cannot be read, and concludes nothing', async () => {
  const rig = await openRefreshRig(sandbox);
  const [first, second, third] = [await rig.upload(), await rig.upload(), await rig.upload()];
  await rig.sync();
  const marks = async () => {
    const { watermark, lastFullAt, lookedAt } = await rig.state.read();
    return { watermark, lastFullAt, lookedAt };
  };
  const before = await marks();
  for (const [mode, endpoint] of [
    ['full', 'list'],
    ['incremental', 'search'],
  ] as const) {
    await show(rig, endpoint, [flawed(first), flawed(second, false), whole(third)]);
    const failed = rig.worker()({ mode, runId: mode }, undefined, rig.settings.jobs.attempts);
    await expect(failed).rejects.toMatchObject({ code: 'HOST_REJECTED' });
    const { lastRun } = await rig.state.read();
    expect(lastRun).toMatchObject({ runId: mode, result: 'failed', missing: 0 });
    expect(lastRun?.errors).toBeGreaterThanOrEqual(2);
    expect(lastRun?.findings).toMatchObject([{ code: 'ASSETS_UNREADABLE', count: 2, ids: [first.assetId] }]);
  }
  expect(await marks()).toEqual(before);
  expect((await rig.catalog.counts()).byStatus).toMatchObject({ verified: 3, missing: 0 });
  await rig.cloud.faults.clear();
  expect(await rig.sync()).toMatchObject({ result: 'ok', unchanged: 3, errors: 0, findings: [] });
});

it('S16: resumes a recovery by itself once the host can be read', async () => {
  const rig = await openRefreshRig(sandbox, { emptied: true });
  const asset = await rig.upload();
  await show(rig, 'list', [flawed(asset)]);
  const recover = rig.worker();
  const waits = recover({ trigger: 'recovery', mode: 'full' }, undefined, rig.settings.jobs.attempts);
  await expect(waits).rejects.toBeInstanceOf(HandBack);
  const running = (await rig.state.read()).running?.run;
  expect(running).toMatchObject({ trigger: 'recovery', result: null });
  expect(running?.findings.map(({ code }) => code)).toContain('ASSETS_UNREADABLE');
  expect((await rig.state.read()).lastFullAt).toBeNull();
  await rig.cloud.faults.clear();
  const later = rig.worker({ now: () => Date.now() + 31_000 });
  await later({ trigger: 'recovery', mode: 'full' });
  expect(await rig.find(asset)).toMatchObject({ status: 'verified' });
});

it('brings the others of a notification in step, and then fails', async () => {
  const rig = await openRefreshRig(sandbox);
  const [odd, edited] = [await rig.foreign('others/odd'), await rig.foreign('others/edited')];
  await rig.sync();
  await rig.cloud.assets.edit(edited.assetId, { tags: ['new'] });
  const match = { endpoint: 'explicit', publicId: odd.publicId };
  await rig.cloud.faults.add({ kind: 'garbage', body: JSON.stringify(flawed(odd)), count: null, match });
  await expect(rig.refresh('changed', odd, edited)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  expect((await rig.find(edited))?.tags).toEqual(['new']);
  // Under its name the host does not have it any more, which does not mean that it is gone.
  await rig.cloud.faults.clear();
  await rig.cloud.assets.rename(odd.assetId, 'others/renamed', { quiet: true });
  await rig.refresh('uploaded', { ...odd, version: odd.version + 1 });
  expect(await rig.find(odd)).toMatchObject({ status: 'verified' });
});

it('reports a listing far shorter than the catalog, although all is there', async () => {
  const rig = await openSyncRig(sandbox, 'cloudinary');
  await rig.emulator?.assets.seed(60);
  await rig.sync();
  await rig.emulator?.faults.add({ kind: 'short-listing', keep: 0.5, count: null });
  const run = await rig.sync();
  expect(run).toMatchObject({ result: 'ok', missing: 0, errors: 0 });
  expect(run.findings).toMatchObject([
    { code: 'LISTING_SHORT', severity: 'warning', count: 60 - run.listed },
  ]);
  await rig.emulator?.faults.clear();
  expect((await rig.sync()).findings).toEqual([]);
});
