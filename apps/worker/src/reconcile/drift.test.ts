import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import { newMediaId, writeHostMetadata } from '@holdfast/shared/media';
import type { HostAsset, MediaHost } from '@holdfast/shared/media-host';
import { aRecord, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { about, editHere, report, words } from '../../test/support/drift-report.js';
import { openSyncRig, type HostKind } from '../../test/support/sync-rig.js';
import { contentChange } from './drift.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

describe.each<HostKind>(['local', 'cloudinary'])('the drift report (%s)', (kind) => {
  it('is empty before the first full run, and after one that found nothing', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const empty = { items: [], nextCursor: null, cut: false };
    expect(await report(rig)).toMatchObject({ ...empty, runId: null });
    await rig.upload();
    await rig.sync({ mode: 'incremental' });
    expect(await report(rig)).toMatchObject({ ...empty, runId: null });
    const { runId } = await rig.sync();
    expect(await report(rig)).toMatchObject({
      ...empty,
      runId,
      counts: { 'catalog-only': 0, different: 0, 'host-only': 0 },
    });
    expect(await sandbox.client.keys(`${rig.keys.prefix}:sync:drift*`)).toEqual([]);
  });

  it('shows what was on one side only and what was different, and what was done about it', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const [lost, editedThere, editedHere, unmarked, same] = [
      await rig.upload(),
      await rig.upload(),
      await rig.upload(),
      await rig.upload(),
      await rig.upload(),
    ];
    await rig.sync();
    await rig.host.remove(lost);
    await rig.host.annotate(editedThere, {
      context: { ...editedThere.context, title: 'There' },
      tags: ['new'],
    });
    await editHere(rig, editedHere);
    await rig.host.annotate(unmarked, { context: {}, tags: [] });
    const foreign = await rig.foreign('others/a');
    const orphan = await rig.upload();
    const old = new Date(Date.now() - 86_400_000).toISOString();
    const unfinished = await rig.upload({ createdAt: old }, { state: 'started', deadlineSeconds: 1 });
    const deleted = newMediaId();
    const gone = await rig.upload({ id: deleted });
    await sandbox.client.zadd(rig.keys.tombstones, Date.now(), deleted);

    const tomorrow = () => Date.now() + 86_400_000;
    const late = rig.worker({ now: tomorrow, host: { ...rig.parts.host, hostNow: tomorrow } });
    await late({ mode: 'full', runId: 'late' });
    const { runId, items, counts, cut } = await report(rig);
    expect({ runId, counts, cut }).toEqual({
      runId: 'late',
      counts: { 'catalog-only': 1, different: 3, 'host-only': 4 },
      cut: false,
    });
    expect(about(items, lost)).toEqual({
      kind: 'catalog-only',
      code: 'MISSING',
      id: rig.recordOf(lost).id,
      publicId: lost.publicId,
      assetId: lost.assetId,
      detail: expect.any(String),
      action: 'marked-missing',
    });
    expect(about(items, editedThere)).toMatchObject({
      kind: 'different',
      code: 'EDITED_ON_HOST',
      id: rig.recordOf(editedThere).id,
      action: 'updated',
      detail: expect.stringContaining('title, tags'),
    });
    const different = { kind: 'different' };
    expect(about(items, editedHere)).toMatchObject({
      ...different,
      code: 'EDITED_HERE',
      action: 'push-queued',
    });
    expect(about(items, unmarked)).toMatchObject({ ...different, code: 'MARK_LOST', action: 'rewritten' });
    const hostOnly = { kind: 'host-only' };
    expect(about(items, foreign)).toMatchObject({
      ...hostOnly,
      code: 'NOT_IN_CATALOG',
      id: `cld-${foreign.assetId}`,
      publicId: 'others/a',
      action: 'created',
    });
    expect(about(items, orphan)).toMatchObject({ ...hostOnly, code: 'NOT_IN_CATALOG', action: 'created' });
    expect(about(items, unfinished)).toMatchObject({
      ...hostOnly,
      code: 'UNFINISHED_UPLOAD',
      action: 'removed',
    });
    expect(about(items, gone)).toMatchObject({
      ...hostOnly,
      code: 'DELETED_HERE',
      id: deleted,
      action: 'removed',
    });
    expect(about(items, same)).toBeUndefined();
  });

  it('shows a missing media again in each run, until it came back', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const lost = await rig.upload();
    await rig.sync();
    await rig.host.remove(lost);
    await rig.sync();
    expect(words((await report(rig)).items)).toEqual([['catalog-only', 'MISSING', 'marked-missing']]);
    await rig.sync();
    expect(words((await report(rig)).items)).toEqual([['catalog-only', 'MISSING', 'left']]);
    await rig.putBack(lost);
    await rig.sync();
    expect(words((await report(rig)).items)).toEqual([['different', 'CAME_BACK', 'restored']]);
    await rig.sync();
    expect((await report(rig)).items).toEqual([]);
  });

  it('names the files of a loss that was held back', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const assets = [];
    for (let n = 0; n < 22; n += 1) assets.push(await rig.upload());
    await rig.sync();
    for (const asset of assets) await rig.host.remove(asset);
    await rig.sync();
    const { items } = await report(rig);
    expect(items).toHaveLength(22);
    expect(new Set(words(items).map((word) => word.join()))).toEqual(
      new Set(['catalog-only,MASS_MISSING,held-back']),
    );
  });

  it('is that of a dry run in its result alone, which says what would be done', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const lost = await rig.upload();
    await rig.sync();
    const before = await report(rig);
    await rig.host.remove(lost);
    const fresh = await rig.upload();
    const { drift } = await rig.sync({ dryRun: true });
    expect(drift).toMatchObject({
      items: [
        { code: 'MISSING', action: 'marked-missing', id: rig.recordOf(lost).id },
        { code: 'NOT_IN_CATALOG', action: 'created', id: rig.recordOf(fresh).id },
      ],
      counts: { 'catalog-only': 1, different: 0, 'host-only': 1 },
      cut: false,
    });
    expect(await report(rig)).toEqual(before);
    expect((await rig.sync({ dryRun: true, mode: 'incremental' })).drift?.items).toHaveLength(1);
    expect((await rig.sync()).drift).toBeUndefined();
    expect(await sandbox.client.keys(`${rig.keys.prefix}:sync:drift:*`)).toEqual([]);
  });
});

describe('the drift report', () => {
  it('reports bytes that changed, in each run', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    const asset = await rig.upload();
    await rig.sync();
    await rig.emulator?.assets.corrupt(asset.assetId);
    for (let n = 0; n < 2; n += 1) {
      await rig.sync();
      expect((await report(rig)).items).toMatchObject([
        { kind: 'different', code: 'CONTENT_CHANGED', action: 'left', id: rig.recordOf(asset).id },
      ]);
    }
  });

  it('shows what could not be done', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    const asset = await rig.upload();
    await rig.sync();
    await rig.host.annotate(asset, { context: {}, tags: [] });
    const refusing: MediaHost = {
      ...rig.host,
      annotate: () => Promise.reject(new HoldfastError('HOST_REJECTED')),
    };
    await rig.worker({ host: refusing })({ mode: 'full', runId: 'refused' });
    expect(await rig.state.findRun('refused')).toMatchObject({ errors: 1 });
    expect(words((await report(rig)).items)).toEqual([['different', 'MARK_LOST', 'failed']]);
  });

  it.each(['sync', 'webhook'] as const)(
    'distinguishes foreign media first seen by %s from uploads',
    async (source) => {
      const rig = await openSyncRig(sandbox, 'cloudinary');
      const asset = await rig.foreign('others/a');
      const fields = { ...rig.recordOf(asset), source };
      await rig.host.annotate(asset, writeHostMetadata({ mark: { state: 'committed' }, fields }));
      await rig.sync();
      expect((await report(rig)).items).toMatchObject([
        { code: 'NOT_IN_CATALOG', detail: 'put on the host by others' },
      ]);
    },
  );

  it('shows what others did in the same moment', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    const lost = await rig.upload();
    await rig.sync();
    await rig.host.remove(lost);
    const fresh = await rig.foreign('others/a');
    const ticket = { state: 'ticket', expiresAtMs: Date.now() + 3_600_000 } as const;
    const arrival = await rig.upload({ source: 'direct', checksum: { sha256: null, md5: null } }, ticket);
    const host: MediaHost = {
      ...rig.host,
      // Between what was decided about the page and its saves.
      annotate: async (...args) => {
        await sandbox.client.zadd(rig.keys.tombstones, Date.now(), rig.recordOf(fresh).id);
        return rig.host.annotate(...args);
      },
      find: async (ref, signal) => {
        if (ref.publicId === lost.publicId) await editHere(rig, lost);
        return rig.host.find(ref, signal);
      },
    };
    await rig.worker({ host })({ mode: 'full', runId: 'r' });
    const { items } = await report(rig);
    expect(about(items, arrival)).toMatchObject({ code: 'DIRECT_UPLOAD', action: 'created' });
    expect(about(items, fresh)).toMatchObject({ code: 'NOT_IN_CATALOG', action: 'left' });
    expect(about(items, lost)).toMatchObject({ code: 'MISSING', action: 'left' });
  });
});

it.each([
  ['is of another size', 90, `5074 bytes, MD5 ${'b'.repeat(32)}; was 90 bytes, MD5 ${'a'.repeat(32)}`],
  [
    'has its size in the record by now',
    5_074,
    `5074 bytes, MD5 ${'b'.repeat(32)}; was MD5 ${'a'.repeat(32)}`,
  ],
])('says of content that changed and %s what was uploaded, as far as it is known', (_how, bytes, detail) => {
  const record = aRecord({ bytes, checksum: { sha256: 'c'.repeat(64), md5: 'a'.repeat(32) } });
  const asset = { ...record, bytes: 5_074, etag: 'b'.repeat(32) } as unknown as HostAsset;
  expect(contentChange(asset, record)).toEqual({ code: 'CONTENT_CHANGED', detail });
});
