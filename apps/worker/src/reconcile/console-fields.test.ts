import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EmulatorOptions } from '@holdfast/cloudinary-emulator';
import { editBase, isUnpushed, type MediaRecord } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import { pushRecord } from '@holdfast/shared/push';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openRefreshRig, type RefreshRig } from '../../test/support/refresh-rig.js';
import { lasting } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const LONG = 'word '.repeat(90).trim();

/** A file that both sides know, what people do with it on either side, and what both say then. */
async function openMedia(upload: (rig: RefreshRig) => Promise<HostAsset>, emulator: EmulatorOptions) {
  const rig = await openRefreshRig(sandbox, { emulator });
  const asset = await upload(rig);
  await rig.sync();
  const ours = async (): Promise<MediaRecord> => {
    const records = await rig.records();
    if (records[0] === undefined) throw new Error('the asset was not adopted');
    return records[0];
  };
  const context = async () => (await rig.cloud.assets.byAssetId(asset.assetId))?.context ?? {};
  return {
    rig,
    asset,
    ours,
    context,
    /** In the Media Library; null removes a key. */
    editThere: async (edit: Record<string, string | null>): Promise<void> => {
      const next = Object.entries({ ...(await context()), ...edit }).filter((pair) => pair[1] !== null);
      await rig.cloud.assets.edit(asset.assetId, {
        context: Object.fromEntries(next) as Record<string, string>,
      });
    },
    editHere: async (edit: Partial<MediaRecord>): Promise<void> => {
      const record = await ours();
      const next = { ...record, ...edit, revision: record.revision + 1, updatedAt: new Date().toISOString() };
      const mergeBase = { revision: next.revision, base: editBase(record), over: record.revision };
      const base = isUnpushed(record) ? undefined : mergeBase;
      expect(await rig.catalog.saveIf(next, record, base)).toBe('updated');
    },
    push: async () => pushRecord(rig, (await ours()).id, AbortSignal.timeout(5_000)),
    /** Both sides agree: another sync finds nothing, and a rebuild gives the same. */
    expectSettled: async (): Promise<void> => {
      const before = await ours();
      expect(before.pushedRevision).toBe(before.revision);
      expect(await rig.sync()).toMatchObject({ updated: 0, unchanged: 1, errors: 0, findings: [] });
      expect(await ours()).toMatchObject({ revision: before.revision });
      await sandbox.client.flushall();
      await rig.sync();
      expect(lasting(await ours())).toEqual(lasting(before));
    },
  };
}

describe.each(['replaces', 'merges'] as const)('where explicit %s what is there', (explicitEdits) => {
  const own = (over: Partial<MediaRecord>) => openMedia((rig) => rig.upload(over), { explicitEdits });
  const foreign = (context: Record<string, string>) =>
    openMedia((rig) => rig.foreign('cats/tom', context), { explicitEdits });

  it.each(['sync', 'notification'])(
    'an edit in the console arrives by a %s, and our own keys follow',
    async (by) => {
      const media = await own({ title: 'Old', description: 'old', category: 'c' });
      await media.editThere({ caption: 'New', alt: 'new' });
      if (by === 'sync') await media.rig.sync();
      else await media.rig.refresh('changed', media.asset);
      const edited = { title: 'New', description: 'new', category: 'c', revision: 2 };
      expect(await media.ours()).toMatchObject(edited);
      const [job] = await media.rig.queues.queues.save.getJobs(['waiting']);
      expect(job?.data).toMatchObject({ revision: 2 });
      expect(await media.push()).toMatchObject({ outcome: 'pushed', joined: null });
      expect(await media.context()).toMatchObject({
        title: 'New',
        caption: 'New',
        description: 'new',
        alt: 'new',
      });
      await media.expectSettled();
    },
  );

  it('an edit here shows in the console', async () => {
    const media = await own({ title: 'Old' });
    await media.editHere({ title: 'New', description: 'two\nlines' });
    await media.push();
    expect(await media.context()).toMatchObject({ caption: 'New', alt: 'two lines' });
    await media.expectSettled();
    expect(await media.ours()).toMatchObject({ title: 'New', description: 'two\nlines' });
  });

  it('a key that is removed in the console clears the field', async () => {
    const media = await own({ title: 'Old', description: 'old' });
    await media.editThere({ caption: null });
    await media.rig.sync();
    expect(await media.ours()).toMatchObject({ title: '', description: 'old', revision: 2 });
    await media.push();
    const context = await media.context();
    expect(context['title'] ?? '').toBe('');
    expect(context['caption'] ?? '').toBe('');
    await media.expectSettled();
  });

  it.each([
    ['without a trace of ours', { title: 'Old', caption: 'New' }],
    ['with other texts under both keys', { title: 'Other', caption: 'New' }],
  ])('a context that others replaced %s comes in once, as the console shows it', async (_, context) => {
    const media = await own({ title: 'Old' });
    await media.rig.cloud.assets.edit(media.asset.assetId, { context });
    await media.rig.sync();
    expect(await media.ours()).toMatchObject({ title: 'New', revision: 2 });
    expect(await media.push()).toMatchObject({ outcome: 'pushed', joined: null });
    expect(await media.context()).toMatchObject({ title: 'New', caption: 'New', hf_rev: '2' });
    await media.expectSettled();
  });

  it.each(['title', 'caption'])(
    'an edit of %s is merged once, even if a part of our mark was lost',
    async (key) => {
      const media = await own({ title: 'Old' });
      await media.editThere({ [key]: 'New', hf_created: null });
      await media.rig.sync();
      expect(await media.ours()).toMatchObject({ title: 'New', revision: 2 });
      expect(await media.push()).toMatchObject({ outcome: 'pushed', joined: null });
      await media.expectSettled();
    },
  );

  it('an edit is merged even if others replaced the context before the last one was pushed', async () => {
    const media = await own({ title: 'Old', description: 'old' });
    await media.editThere({ caption: 'First' });
    await media.rig.sync();
    await media.rig.cloud.assets.edit(media.asset.assetId, { context: { caption: 'Second' } });
    expect(await media.push()).toMatchObject({ outcome: 'pushed', joined: { title: 'Second' } });
    expect(await media.ours()).toMatchObject({ title: 'Second', description: 'old', revision: 3 });
    await media.expectSettled();
  });

  it('the next edit is merged even if an emptied catalog came back with the last one', async () => {
    const media = await own({ title: 'Old', category: 'old' });
    await media.editThere({ caption: 'First' });
    await sandbox.client.flushall();
    await media.rig.sync();
    expect(await media.ours()).toMatchObject({ title: 'First', revision: 1 });
    await media.editThere({ caption: 'Second' });
    await media.editHere({ category: 'new' });
    expect(await media.push()).toMatchObject({ outcome: 'pushed', joined: { title: 'Second' } });
    expect(await media.ours()).toMatchObject({ title: 'Second', category: 'new', revision: 3 });
    await media.expectSettled();
  });

  it('edits of both sides are merged field by field', async () => {
    const media = await own({ title: 'Old', description: 'old' });
    await media.editHere({ title: 'Ours' });
    await media.editThere({ caption: 'Theirs', alt: 'theirs' });
    await media.push();
    expect(await media.ours()).toMatchObject({ title: 'Ours', description: 'theirs', revision: 3 });
    expect(await media.context()).toMatchObject({ caption: 'Ours', alt: 'theirs' });
    await media.expectSettled();
  });

  it('a text that is too long for the console shows there cut, and stays whole', async () => {
    const media = await own({});
    await media.editHere({ title: LONG, description: 'x'.repeat(5_000) });
    await media.push();
    const context = await media.context();
    expect(context).toMatchObject({ caption: LONG.slice(0, 255).trim(), alt: 'x'.repeat(255) });
    await media.expectSettled();
    await media.editThere({ caption: 'short' });
    await media.rig.sync();
    await media.push();
    expect(await media.ours()).toMatchObject({ title: 'short', description: 'x'.repeat(5_000) });
    await media.expectSettled();
  });

  it('an asset of others follows its console before and after its first edit here', async () => {
    const media = await foreign({ caption: 'One', alt: 'LONG'.repeat(100), credit: 'ACME' });
    expect(await media.ours()).toMatchObject({ title: 'One', revision: 1 });
    await media.editThere({ caption: 'Two' });
    await media.rig.sync();
    expect(await media.ours()).toMatchObject({ title: 'Two', revision: 1 });
    await media.editHere({ category: 'cats' });
    await media.push();
    expect(await media.context()).toMatchObject({
      caption: 'Two',
      alt: 'LONG'.repeat(100),
      credit: 'ACME',
      category: 'cats',
    });
    await media.expectSettled();
    await media.editThere({ caption: 'Three' });
    await media.rig.sync();
    expect(await media.ours()).toMatchObject({ title: 'Three', category: 'cats', revision: 3 });
    await media.push();
    await media.expectSettled();
  });

  it('an asset that has lost our mark keeps its title, and adopts one that was typed since', async () => {
    const media = await own({ title: 'Old', description: LONG });
    const { caption = '', alt = '' } = await media.context();
    await media.rig.cloud.assets.edit(media.asset.assetId, { context: { caption, alt } });
    expect(await media.rig.sync()).toMatchObject({ findings: [{ code: 'MARK_LOST' }] });
    await media.expectSettled();
    expect(await media.ours()).toMatchObject({ title: 'Old', description: LONG, revision: 1 });
    await media.rig.cloud.assets.edit(media.asset.assetId, { context: { caption: 'New', alt } });
    await media.rig.sync();
    await media.push();
    expect(await media.ours()).toMatchObject({ title: 'New', description: LONG, revision: 2 });
    await media.expectSettled();
  });

  it('assets that version 0.1.0 wrote stay as they are until somebody edits them', async () => {
    const media = await own({ title: 'Old', description: LONG });
    await media.editThere({ caption: null, alt: null, 'hf-shown': null });
    const before = await media.context();
    expect(await media.rig.sync()).toMatchObject({ updated: 0, unchanged: 1, findings: [] });
    expect(await media.context()).toEqual(before);
    await media.editThere({ caption: 'New' });
    await media.rig.sync();
    await media.push();
    expect(await media.ours()).toMatchObject({ title: 'New', description: LONG, revision: 2 });
    expect(await media.context()).toMatchObject({ title: 'New', caption: 'New' });
    await media.expectSettled();
  });
});
