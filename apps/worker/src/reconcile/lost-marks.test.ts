import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pushRecord } from '@holdfast/shared/push';
import { removeRecord } from '@holdfast/shared/removal';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { lasting, openSyncRig, type HostKind } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

describe.each<HostKind>(['local', 'cloudinary'])('what a sync does (%s)', (kind) => {
  it('writes its mark again when the host lost it, and keeps the id', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ title: 'Kept' });
    await rig.sync();
    const record = await rig.find(asset);
    await rig.host.annotate(asset, { context: { note: 'others were here' }, tags: [...asset.tags] });
    const run = await rig.sync();
    expect(run.findings.map((finding) => finding.code)).toEqual(['MARK_LOST']);
    expect((await rig.catalog.counts()).total).toBe(1);
    await sandbox.client.flushall();
    await rig.sync();
    expect(lasting(await rig.find(asset))).toEqual(lasting(record));
  });

  it('brings back a missing media with an altered mark in one run without errors', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ title: 'Kept' });
    await rig.sync();
    await rig.host.remove(asset);
    expect(await rig.sync()).toMatchObject({ missing: 1 });
    const { hf_by: _, ...context } = asset.context;
    const back = await rig.putBack({ ...asset, context });
    expect(await rig.sync()).toMatchObject({ restored: 1, errors: 0 });
    expect(await rig.find(asset)).toMatchObject({ status: 'verified', title: 'Kept' });
    expect(await rig.sync()).toMatchObject({ errors: 0, findings: [] });
    expect(await rig.find(asset)).toMatchObject({ assetId: back.assetId, status: 'verified' });
  });

  it('keeps what others wrote there, and the key of the upload', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ title: 'Kept' });
    await rig.sync();
    const claim = { hf_idem: '1'.repeat(32), hf_print: '2'.repeat(32) };
    await rig.host.annotate(asset, { context: { ...claim, note: 'others were here' }, tags: asset.tags });
    await rig.sync();
    const context = (await rig.host.find(asset))?.context;
    expect(context).toMatchObject({ hf: '1', title: 'Kept', note: 'others were here', ...claim });
  });

  it.each([
    ['hf_sha256', ''],
    ['hf_sha256', 'e'.repeat(64)],
    ['hf_created', '1'],
    ['hf_updated', '1'],
    ['hf_src', 'sync'],
    ['hf_name', 'tother.png'],
    ['hf_by', 'tsomebody'],
  ])('writes its mark again when somebody made %s "%s"', async (name, value) => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ title: 'Kept' });
    await rig.sync();
    const record = await rig.find(asset);
    const { [name]: _, ...rest } = asset.context;
    const context = value === '' ? rest : { ...rest, [name]: value };
    await rig.host.annotate(asset, { context, tags: asset.tags });
    const run = await rig.sync();
    expect(run.findings.map((finding) => finding.code)).toEqual(['MARK_LOST']);
    expect(await rig.find(asset)).toEqual(record);
    expect((await rig.host.find(asset))?.context).toEqual(asset.context);
  });

  it('merges an edit, and keeps how the file came in where the mark was altered with it', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ title: 'Ours' });
    await rig.sync();
    const before = await rig.find(asset);
    const { hf_sha256: _, ...rest } = asset.context;
    const context = { ...rest, title: 'Theirs', hf_created: '1', hf_name: 'tother.png' };
    await rig.host.annotate(asset, { context, tags: asset.tags });
    await rig.sync();
    const { checksum, createdAt, filename } = before ?? {};
    const edited = { title: 'Theirs', revision: 2, checksum, createdAt, filename };
    expect(await rig.find(asset)).toMatchObject(edited);
    await pushRecord(rig, rig.recordOf(asset).id, AbortSignal.timeout(5_000));
    await sandbox.client.flushall();
    await rig.sync();
    expect(await rig.find(asset)).toMatchObject(edited);
  });

  it('writes no mark on another asset that took the name meanwhile', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload();
    await rig.sync();
    await rig.host.annotate(asset, { context: { note: 'others were here' }, tags: asset.tags });
    let looks = 0;
    const find: typeof rig.host.find = async (ref, signal) => {
      const found = await rig.host.find(ref, signal);
      looks += 1;
      return found === null || looks === 1 ? found : { ...found, assetId: 'another' };
    };
    await rig.worker({ host: { ...rig.host, find } })({ mode: 'full', runId: 'r' });
    expect(looks).toBe(2);
    expect((await rig.host.find(asset))?.context).toEqual({ note: 'others were here' });
  });

  it.each(['before', 'after'])(
    'writes no mark over an edit that was pushed right %s its look',
    async (when) => {
      const rig = await openSyncRig(sandbox, kind);
      const asset = await rig.upload({ title: 'first' });
      await rig.sync();
      await rig.host.annotate(asset, { context: { note: 'others were here' }, tags: asset.tags });
      const editHere = async (): Promise<void> => {
        const record = await rig.find(asset);
        if (record === null) throw new Error('the record is gone');
        await rig.catalog.saveIf({ ...record, title: 'edited', revision: 2 }, record);
        await pushRecord(rig, record.id, AbortSignal.timeout(5_000));
      };
      let looks = 0;
      const find: typeof rig.host.find = async (ref, signal) => {
        looks += 1;
        if (looks === 2 && when === 'before') await editHere();
        const found = await rig.host.find(ref, signal);
        if (looks === 2 && when === 'after') await editHere();
        return found;
      };
      await rig.worker({ host: { ...rig.host, find } })({ mode: 'full' });
      expect(await rig.find(asset)).toMatchObject({ title: 'edited', revision: 2, pushedRevision: 2 });
      await sandbox.client.flushall();
      await rig.sync();
      expect(await rig.find(asset)).toMatchObject({ title: 'edited', revision: 2 });
    },
  );

  it('does not bring back a file that is deleted when it has listed its asset without a mark', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload();
    await rig.sync();
    const record = await rig.find(asset);
    if (record === null) throw new Error('the record is gone');
    await rig.host.annotate(asset, { context: { note: 'others were here' }, tags: asset.tags });
    const list: typeof rig.host.list = async (request) => {
      const page = await rig.host.list(request);
      if (page.assets.length > 0) {
        await rig.catalog.beginDelete(record.id);
        await removeRecord(rig, record, AbortSignal.timeout(5_000));
      }
      return page;
    };
    await rig.worker({ host: { ...rig.host, list } })({ mode: 'full' });
    expect(await rig.host.find(asset)).toBeNull();
    expect(await rig.records()).toEqual([]);
  });

  it('merges what people wrote in place of the mark', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ title: 'Ours', description: 'Ours, too', tags: ['sea'] });
    await rig.sync();
    await rig.host.annotate(asset, { context: { title: 'Theirs', credit: 'x' }, tags: ['lake'] });
    await rig.sync();
    const edited = { title: 'Theirs', description: 'Ours, too', tags: ['lake'], revision: 2 };
    expect(await rig.find(asset)).toMatchObject(edited);
    await pushRecord(rig, rig.recordOf(asset).id, AbortSignal.timeout(5_000));
    await sandbox.client.flushall();
    await rig.sync();
    expect(await rig.find(asset)).toMatchObject(edited);
    expect((await rig.host.find(asset))?.context).toMatchObject({ credit: 'x' });
  });

  it.each([
    ['hf_rev', '1e999'],
    ['hf_rev', '1e20'],
    ['hf_id', 'cld-a:b'],
  ])('writes its mark again when somebody made %s on the host %s', async (name, value) => {
    const rig = await openSyncRig(sandbox, kind);
    const asset = await rig.upload({ title: 'Kept' });
    await rig.sync();
    const record = await rig.find(asset);
    await rig.host.annotate(asset, { context: { ...asset.context, [name]: value }, tags: asset.tags });
    const run = await rig.sync();
    expect(run.findings.map((finding) => finding.code)).toEqual(['MARK_LOST']);
    expect(await rig.find(asset)).toEqual(record);
    await sandbox.client.flushall();
    await rig.sync();
    expect(lasting(await rig.find(asset))).toEqual(lasting(record));
  });
});
