import { afterAll, beforeAll, expect, it } from 'vitest';
import { bindingOf, newMediaId, readHostMetadata, writeHostMetadata } from '@holdfast/shared/media';
import { pushRecord } from '@holdfast/shared/push';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

it('an edit of a file of another deployment leaves the other what its record is rebuilt from', async () => {
  const rig = await openSyncRig(sandbox, 'cloudinary');
  const at = '2026-01-01T00:00:00.000Z';
  const fields = {
    id: newMediaId(),
    revision: 3,
    filename: 'a.png',
    title: 'theirs',
    description: 'd',
    category: '',
    tags: ['x'],
    uploadedBy: 'web',
    source: 'upload',
    createdAt: at,
    updatedAt: at,
    checksum: { sha256: 'a'.repeat(64), md5: null },
    durationSeconds: null,
  } as const;
  const boundTo = bindingOf('other', 'f'.repeat(32));
  const mark = { state: 'committed' } as const;
  const { context } = writeHostMetadata({ mark, fields: { ...fields, tags: ['x'] }, boundTo });
  const asset = await rig.foreign(`other/${fields.id}`, context);
  await rig.sync();
  const found = await rig.find(asset);
  if (found === null) throw new Error('the asset was not adopted');

  await rig.catalog.saveIf({ ...found, title: 'edited', revision: found.revision + 1 }, found);
  expect((await pushRecord(rig, found.id, AbortSignal.timeout(5_000))).outcome).toBe('pushed');
  const theirs = async () => {
    const now = await rig.host.find(asset);
    const carried = now && readHostMetadata(now);
    return carried && { ...carried.fields, boundTo: carried.boundTo };
  };
  const { id, filename, uploadedBy, checksum, createdAt } = fields;
  const kept = { id, filename, uploadedBy, checksum, createdAt, boundTo, title: 'edited', revision: 4 };
  expect(await theirs()).toMatchObject(kept);

  expect(await rig.sync()).toMatchObject({ created: 0, updated: 0, unchanged: 1, errors: 0 });
  expect(await theirs()).toMatchObject(kept);
  expect(await rig.find(asset)).toMatchObject({ id: found.id, title: 'edited', revision: 2 });
});
