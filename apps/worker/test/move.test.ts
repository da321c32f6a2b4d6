import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordFromAsset } from '@holdfast/shared/media';
import { aRecord, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { move } from '../src/commands/move.js';
import { lasting } from './support/sync-rig.js';
import { all, bytesOn, digest, kept, marked, openMove, png, put, upload } from './support/move-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

describe.each(['local', 'cloudinary'] as const)('a move from %s', (from) => {
  it('moves every file with its id, fields, checksums and dates, and removes nothing', async () => {
    const at = await openMove(sandbox, from);
    await upload(at, at.source, { revision: 7, updatedAt: '2026-03-01T00:00:00.000Z', tags: ['a', 'b c'] });
    await upload(at, at.source, { source: 'direct', checksum: { sha256: null, md5: null }, title: '' });
    await upload(at, at.source, { resourceType: 'raw' }, randomBytes(300_000));
    for (let n = 0; n < 20; n += 1) await upload(at, at.source);
    // Redis does not know this one any more.
    const bytes = png();
    const checksum = { sha256: digest('sha256', bytes), md5: digest('md5', bytes) };
    const unknown = aRecord({ title: 'unknown here', bytes: bytes.length, checksum });
    await put(at.source.host, 'image', unknown.publicId, marked(unknown), bytes);
    const before = await all(at);
    const there = new Map(
      await Promise.all(before.map(async (r) => [r.id, await bytesOn(at.source, r)] as const)),
    );

    const { exitCode, report, text } = await at.run();
    expect({ exitCode, report }).toMatchObject({
      exitCode: 0,
      report: { complete: true, listed: 24, moved: 24, failed: 0, problems: [], to: at.target.host.identity },
    });
    expect(text).toContain('24 file(s)');
    const after = await all(at);
    expect(after.filter(({ id }) => id !== unknown.id).map(kept)).toEqual(before.map(kept));
    expect(await at.catalog.find(unknown.id)).toMatchObject({ title: 'unknown here', status: 'verified' });
    for (const record of after) {
      expect(record.status).toBe('verified');
      expect(record.url.startsWith('/media/')).toBe(from === 'cloudinary');
      if (from === 'cloudinary') continue;
      // As an upload would be shown there.
      const shown = await at.emulator.assets.byAssetId(record.assetId);
      const displayName = record.title === '' ? record.filename : record.title;
      expect(shown).toMatchObject({ assetFolder: 'holdfast', displayName });
    }
    for (const record of before) {
      expect(await bytesOn(at.source, record)).toBe(there.get(record.id));
      expect(await bytesOn(at.target, (await at.catalog.find(record.id)) ?? record)).toBe(
        there.get(record.id),
      );
    }
    expect(await at.catalogHost.read()).toBe(at.target.host.identity);
    expect(await at.run()).toMatchObject({ exitCode: 0, report: { moved: 0, already: 24 } });
  });

  it('leaves a file where it is, and says so, whose name no sync would find on the new host', async () => {
    const at = await openMove(sandbox, from);
    const record = await upload(at, at.source);
    const elsewhere = { CLOUDINARY_FOLDER: 'moved', CLOUDINARY_SYNC_PREFIX: 'moved/' };
    const { exitCode, report } = await move.run(
      { ...at.target.env, ...elsewhere },
      { from },
      AbortSignal.timeout(60_000),
    );
    expect({ exitCode, report }).toMatchObject({
      exitCode: 1,
      report: {
        complete: false,
        moved: 0,
        failed: 1,
        problems: [{ publicId: record.publicId, code: 'CONFIG_INVALID' }],
      },
    });
    expect(await at.target.host.find(record)).toBeNull();
    expect((await at.catalog.find(record.id))?.url).toBe(record.url);
  });

  it('keeps the ids of files that others put there, also when Redis is emptied after it', async () => {
    const at = await openMove(sandbox, from);
    const foreign = await put(
      at.source.host,
      'image',
      'cats/tom',
      { context: { caption: 'Tom', mood: 'grim' }, tags: ['cat'] },
      png(),
    );
    const known = recordFromAsset(foreign, 'holdfast', 'sync');
    await at.catalog.save(known);
    expect(await at.run()).toMatchObject({ exitCode: 0 });
    const moved = await at.catalog.find(known.id);
    expect(kept(moved)).toEqual(kept(known));
    expect(moved?.assetId).not.toBe(known.assetId);
    const asset = await at.target.host.find({ publicId: 'cats/tom', resourceType: 'image' });
    expect(asset?.context).toMatchObject({ mood: 'grim' });
    expect(asset === null ? null : lasting(recordFromAsset(asset, 'holdfast', 'sync'))).toEqual(
      lasting(moved),
    );
  });

  it('leaves a full sync nothing to change, and the next emptied Redis the same catalog', async () => {
    const at = await openMove(sandbox, from);
    for (let n = 0; n < 3; n += 1) await upload(at, at.source);
    await put(at.source.host, 'image', 'cats/tom', { context: { caption: 'Tom' }, tags: ['cat'] }, png());
    expect(await at.run()).toMatchObject({
      exitCode: 0,
      report: { syncRunId: expect.any(String) as unknown },
    });
    const moved = (await all(at)).map(lasting);
    expect(await at.sync()).toMatchObject({
      result: 'ok',
      unchanged: 4,
      created: 0,
      updated: 0,
      findings: [],
    });
    await sandbox.client.flushall();
    expect(await at.sync()).toMatchObject({ created: 4 });
    expect((await all(at)).map(lasting)).toEqual(moved);
    expect(await at.catalogHost.read()).toBe(at.target.host.identity);
  });

  it('finds again what a forced sync had marked missing', async () => {
    const at = await openMove(sandbox, from);
    const record = await upload(at, at.source);
    await at.catalog.markMissing([record.id], null);
    expect(await at.run()).toMatchObject({ exitCode: 0, report: { moved: 1 } });
    expect(await at.catalog.find(record.id)).toMatchObject({ status: 'verified', title: record.title });
  });

  it('only counts in a dry run, and only forgets with --forget', async () => {
    const at = await openMove(sandbox, from);
    await upload(at, at.source);
    const before = await all(at);
    expect(await at.run({ 'dry-run': true })).toMatchObject({
      exitCode: 0,
      report: { moved: 1, dryRun: true },
    });
    expect(await all(at)).toEqual(before);
    expect(await at.catalogHost.read()).toBe(at.source.host.identity);
    expect(await at.run({ forget: true })).toMatchObject({ exitCode: 0, report: { forgotten: true } });
    expect(await at.catalogHost.read()).toBe(at.target.host.identity);
    expect(await at.sync({ force: true })).toMatchObject({ result: 'ok', missing: 1 });
  });

  it('reports files that cannot be copied, copies the others, and leaves the catalog where it is', async () => {
    const at = await openMove(sandbox, from);
    const good = await upload(at, at.source);
    const damaged = await upload(at, at.source);
    const lost = await upload(at, at.source);
    await at.damage(damaged);
    await at.source.host.remove(lost);
    const taken = await put(at.source.host, 'image', 'cats/tom', { context: {}, tags: [] }, png());
    await put(at.target.host, 'image', 'cats/tom', { context: {}, tags: [] }, png());
    const { exitCode, report } = await at.run();
    expect({ exitCode, report }).toMatchObject({
      exitCode: 1,
      report: { complete: false, moved: 1, failed: 3 },
    });
    const codes = (report['problems'] as { publicId: string; code: string }[]).map((p) => [
      p.publicId,
      p.code,
    ]);
    expect(Object.fromEntries(codes)).toEqual({
      [damaged.publicId]: 'HOST_CONTENT_MISMATCH',
      [lost.publicId]: 'MEDIA_NOT_FOUND',
      [taken.publicId]: 'HOST_REJECTED',
    });
    expect(await at.catalog.find(good.id)).toMatchObject({ status: 'verified' });
    expect(await at.target.host.find(damaged)).toBeNull();
    expect(await at.catalogHost.read()).toBe(at.source.host.identity);
    // They are where they were.
    expect((await at.sync()).result).toBe('partial');
    expect((await at.catalog.counts()).byStatus.missing).toBe(0);
  });
});
