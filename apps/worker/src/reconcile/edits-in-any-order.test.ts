import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MediaRecord } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import { pushRecord } from '@holdfast/shared/push';
import { createRandom, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { lasting, openSyncRig, type HostKind, type SyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const fields = ['title', 'description', 'category', 'tags'] as const;
type Field = (typeof fields)[number];

/** What one field of one file must come to: edits here count until the host has them, edits there until they were seen. */
interface Expected {
  value: string;
  here?: string;
  there?: string;
}

const STEPS = 60;

/** A file, the edits on both sides of it, and what they must come to. */
async function openMedia(rig: SyncRig, kind: HostKind) {
  // The Media Library's name for the title; the description is edited under our own.
  const keyOf = (field: Field): string => (field === 'title' && kind === 'cloudinary' ? 'caption' : field);
  const asset = await rig.upload({
    title: 'first',
    description: 'first',
    category: 'first',
    tags: ['first'],
  });
  await rig.sync();
  const expected = new Map<Field, Expected>(fields.map((field) => [field, { value: 'first' }]));
  const { id } = rig.recordOf(asset);
  const ours = async (): Promise<MediaRecord> => {
    const record = await rig.catalog.find(id);
    if (record === null) throw new Error('the record is gone');
    return record;
  };
  const theirs = async (): Promise<HostAsset> => {
    const found = await rig.host.find(asset);
    if (found === null) throw new Error('the asset is gone');
    return found;
  };
  return {
    asset,
    ours,
    editHere: async (field: Field, value: string): Promise<void> => {
      const record = await ours();
      const edit = { [field]: field === 'tags' ? [value] : value };
      const edited = { ...record, ...edit, revision: record.revision + 1 };
      expect(await rig.catalog.saveIf(edited, record)).toBe('updated');
      expected.set(field, { ...expectedOf(field), here: value });
    },
    editThere: async (field: Field, value: string): Promise<void> => {
      const { context, tags } = await theirs();
      const edit =
        field === 'tags'
          ? { context, tags: [value] }
          : { context: { ...context, [keyOf(field)]: value }, tags };
      await rig.host.annotate(asset, edit);
      expected.set(field, { ...expectedOf(field), there: value });
    },
    /** The push job. It looks at the host only when there is something to write. */
    push: async (): Promise<void> => {
      const { revision, pushedRevision } = await ours();
      await pushRecord(rig, id, AbortSignal.timeout(5_000));
      if (revision > pushedRevision) meet();
    },
    meet,
    /** A sync saw the asset, and nothing was written there: what was edited here still stands, whatever comes. */
    see,
    values: () => Object.fromEntries([...expected].map(([field, { value }]) => [field, value])),
  };

  function expectedOf(field: Field): Expected {
    return expected.get(field) ?? { value: '' };
  }

  function see(): void {
    for (const [field, { value, here, there }] of expected)
      expected.set(field, { value: here ?? there ?? value, ...(here === undefined ? {} : { here }) });
  }

  /** Field by field: what was edited here stands, else what was edited there comes in. */
  function meet(): void {
    for (const [field, { value, here, there }] of expected)
      expected.set(field, { value: here ?? there ?? value });
  }
}

const valuesOf = ({ title, description, category, tags }: MediaRecord) => ({
  title,
  description,
  category,
  tags: tags.join(),
});

it.each<[HostKind, number]>([
  ['local', 1],
  ['local', 2],
  ['cloudinary', 3],
  ['cloudinary', 4],
])('edits on both sides in any order come together field by field (%s, seed %i)', async (kind, seed) => {
  const rig = await openSyncRig(sandbox, kind);
  const random = createRandom(seed);
  const media = [await openMedia(rig, kind), await openMedia(rig, kind)];
  const pushAll = async (): Promise<void> => {
    for (const one of media) await one.push();
  };
  const sync = async (mode: 'full' | 'incremental'): Promise<void> => {
    expect(await rig.sync({ mode })).toMatchObject({ result: 'ok', errors: 0 });
    for (const one of media) one.see();
  };
  const syncAndPush = async (mode: 'full' | 'incremental'): Promise<void> => {
    await sync(mode);
    await pushAll();
  };
  for (let step = 0; step < STEPS; step += 1) {
    const one = random.pick(media);
    const field = random.pick(fields);
    const value = `step ${String(step)}`;
    const steps = [
      () => one.editHere(field, value),
      () => one.editThere(field, value),
      () => one.editHere(field, value),
      () => one.editThere(field, value),
      () => one.push(),
      () => sync('full'),
      () => sync('incremental'),
      () => syncAndPush('full'),
      () => syncAndPush('incremental'),
    ];
    await random.pick(steps)();
  }

  await syncAndPush('full');
  const settled = await rig.sync();
  expect(settled).toMatchObject({ created: 0, updated: 0, missing: 0, unchanged: media.length });
  const before = await Promise.all(media.map((one) => one.ours()));
  expect(before.map(valuesOf)).toEqual(media.map((one) => one.values()));
  await sandbox.client.flushall();
  await rig.sync();
  const rebuilt = await Promise.all(media.map((one) => one.ours()));
  expect(rebuilt.map(lasting)).toEqual(before.map(lasting));
});
