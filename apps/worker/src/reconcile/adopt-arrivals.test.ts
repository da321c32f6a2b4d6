import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTickets } from '@holdfast/shared/direct-uploads';
import { readHostMetadata, type CommitMark, type MediaRecord } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import { onePixelPng, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { lasting, openSyncRig, type SyncRig, type SyncRigOptions } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const HOUR_MS = 3_600_000;
const ticket = (endsInMs = HOUR_MS): CommitMark => ({ state: 'ticket', expiresAtMs: Date.now() + endsInMs });
const direct: Partial<MediaRecord> = {
  source: 'direct',
  title: 'Direct',
  checksum: { sha256: null, md5: null },
};

const open = (options: SyncRigOptions = {}): Promise<SyncRig> => openSyncRig(sandbox, 'cloudinary', options);
const markOf = async (rig: SyncRig, asset: HostAsset): Promise<string | undefined> => {
  const found = await rig.host.find(asset);
  return found === null ? undefined : readHostMetadata(found)?.mark.state;
};

/** A direct upload that the default upload preset of the account put into a folder. */
async function renamed(rig: SyncRig): Promise<{ id: string; asset: HostAsset }> {
  const { context, tags, publicId } = await rig.upload(direct, ticket());
  const id = context['hf_id'] ?? '';
  await rig.host.remove({ publicId, resourceType: 'image' });
  const request = {
    ref: { publicId: `incoming/${publicId}`, resourceType: 'image' },
    body: onePixelPng,
  } as const;
  const { asset } = await rig.host.put({
    ...request,
    metadata: { context, tags },
    signal: new AbortController().signal,
  });
  return { id, asset };
}

describe.each(['full', 'incremental'] as const)('a %s sync', (mode) => {
  it('adopts a direct upload that nobody completed, verified like any other', async () => {
    const rig = await open();
    const asset = await rig.upload(direct, ticket());
    expect(await rig.sync({ mode, dryRun: true })).toMatchObject({ created: 1 });
    expect(await markOf(rig, asset)).toBe('ticket');
    expect(await rig.sync({ mode })).toMatchObject({ created: 1, errors: 0 });
    const record = await rig.find(asset);
    expect(record).toMatchObject({
      status: 'verified',
      source: 'direct',
      title: 'Direct',
      checksum: { sha256: null, md5: asset.etag },
    });
    expect(await markOf(rig, asset)).toBe('committed');
    expect(await rig.sync({ mode })).toMatchObject({ created: 0, updated: 0, unchanged: 1 });

    await rig.redis.flushall();
    await rig.sync({ mode: 'full' });
    expect(lasting(await rig.find(asset))).toEqual(lasting(record));
  });

  it.each<[string, SyncRigOptions, number]>([
    ['that came after its ticket had ended', {}, -HOUR_MS],
    ['that is larger than allowed', { env: { UPLOAD_MAX_BYTES: '10' } }, HOUR_MS],
    ['of a kind that is not accepted', { env: { UPLOAD_ALLOWED_TYPES: 'video/*' } }, HOUR_MS],
  ])('removes a direct upload %s', async (_what, options, endsInMs) => {
    const rig = await open(options);
    const asset = await rig.upload(direct, ticket(endsInMs));
    expect(await rig.sync({ mode })).toMatchObject({
      created: 0,
      removed: 1,
      errors: 0,
      findings: [{ code: 'UNWELCOME_UPLOAD', count: 1 }],
    });
    expect(await rig.host.find(asset)).toBeNull();
    expect(await rig.records()).toEqual([]);
  });

  it('removes what came as an image under a ticket for a raw file', async () => {
    const rig = await open();
    const asset = await rig.upload(direct, ticket());
    const image = await rig.foreign(`${asset.publicId}.csv`, { ...asset.context }, [...asset.tags]);
    await rig.host.remove(asset);
    expect(await rig.sync({ mode })).toMatchObject({ created: 0, removed: 1, errors: 0 });
    expect(await rig.host.find(image)).toBeNull();
    expect(await rig.records()).toEqual([]);
  });
});

it('makes no record when the commit mark cannot be written, and tries again', async () => {
  const rig = await open();
  const asset = await rig.upload(direct, ticket());
  // The look before the write gets through.
  await rig.emulator?.faults.add({ kind: 'error', match: { endpoint: 'explicit' }, skip: 1 });
  expect(await rig.sync()).toMatchObject({ created: 0, errors: 1 });
  expect(await rig.find(asset)).toBeNull();
  expect(await rig.sync()).toMatchObject({ created: 1, errors: 0 });
  expect(await rig.find(asset)).toMatchObject({ status: 'verified' });
});

it.each([1, 2])('keeps an edit that was made while the mark was written (revision %i)', async (revision) => {
  let meanwhile: (() => Promise<void>) | null = null;
  const rig = await open({
    seenBy: (host) => ({
      ...host,
      annotate: async (...call) => {
        const work = meanwhile;
        meanwhile = null;
        await work?.();
        return host.annotate(...call);
      },
    }),
  });
  const asset = await rig.upload(direct, ticket());
  meanwhile = async () => {
    // Edited there and completed, or completed, edited here and pushed, before our own mark arrives.
    const record = { ...rig.recordOf(asset), title: 'Edited', revision, pushedRevision: revision };
    await rig.catalog.save(record);
  };
  expect(await rig.sync()).toMatchObject({ created: 0, unchanged: 1, errors: 0 });
  expect(await rig.find(asset)).toMatchObject({ title: 'Edited', revision });
  const found = await rig.host.find(asset);
  expect(found === null ? null : readHostMetadata(found)).toMatchObject({
    mark: { state: 'committed' },
    fields: { title: 'Edited', revision },
  });
});

describe('a ticket that was used already', () => {
  async function usedAndGone(): Promise<{ rig: SyncRig; asset: HostAsset }> {
    const rig = await open();
    const asset = await rig.upload(direct, ticket());
    await rig.sync();
    await rig.emulator?.assets.remove(asset.assetId);
    await rig.sync();
    expect(await rig.find(asset)).toMatchObject({ status: 'missing' });
    return { rig, asset };
  }

  it('brings the same bytes back', async () => {
    const { rig, asset } = await usedAndGone();
    await rig.putBack(asset);
    expect(await rig.sync()).toMatchObject({ restored: 1 });
    await rig.sync();
    expect(await rig.find(asset)).toMatchObject({ status: 'verified' });
    expect(await markOf(rig, asset)).toBe('committed');
  });

  it('does not put other bytes in their place', async () => {
    const { rig, asset } = await usedAndGone();
    const { publicId, resourceType, context, tags } = asset;
    await rig.host.put({
      ref: { publicId, resourceType },
      metadata: { context, tags },
      body: Buffer.concat([onePixelPng, Buffer.from('others')]),
      signal: new AbortController().signal,
    });
    expect(await rig.sync()).toMatchObject({ restored: 0, removed: 1 });
    expect(await rig.find(asset)).toMatchObject({ status: 'missing' });
    expect(await rig.host.find(asset)).toBeNull();
  });
});

it('reports other bytes under a direct upload, and keeps the checksum of what was uploaded', async () => {
  const rig = await open();
  const asset = await rig.upload(direct, ticket());
  await rig.sync();
  await rig.emulator?.assets.corrupt(asset.assetId);
  expect(await rig.sync()).toMatchObject({ findings: [{ code: 'CONTENT_CHANGED' }] });
  expect((await rig.find(asset))?.checksum.md5).toBe(asset.etag);
});

describe('a direct upload that the account renamed', () => {
  it('is removed, and its ticket knows why', async () => {
    const rig = await open();
    const { id, asset } = await renamed(rig);
    const tickets = createTickets(rig.redis, rig.keys);
    await tickets.issue(id, { publicId: `holdfast/${id}`, extension: '' }, HOUR_MS);
    expect(await rig.sync()).toMatchObject({ created: 0, removed: 1, errors: 0 });
    expect(await rig.host.find(asset)).toBeNull();
    expect(await tickets.find(id)).toMatchObject({ altered: true });
  });

  it('is left if its ticket is unknown: it may be that of another deployment', async () => {
    const rig = await open();
    const { asset } = await renamed(rig);
    expect(await rig.sync()).toMatchObject({ created: 0, removed: 0, errors: 0 });
    expect(await rig.host.find(asset)).not.toBeNull();
  });
});
