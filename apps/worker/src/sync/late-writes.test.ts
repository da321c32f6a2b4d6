import { afterAll, beforeAll, expect, it } from 'vitest';
import { HandBack } from '@holdfast/shared/jobs';
import { carriedFields, publicIdFor, writeHostMetadata } from '@holdfast/shared/media';
import { pushRecord } from '@holdfast/shared/push';
import { aRecord, onePixelPng, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig } from '../../test/support/sync-rig.js';

// What a run still writes after another worker has taken its lease.

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

it('spends no Idempotency-Key on a media that is gone by now', async () => {
  const key = 'ab'.repeat(16);
  const rig = await openSyncRig(sandbox, 'local', {
    seenBy: (host) => ({
      ...host,
      list: async (request) => {
        const page = await host.list(request);
        await sandbox.client.set('{holdfast}:sync:lease', 'another');
        return page;
      },
    }),
  });
  const record = aRecord();
  await rig.host.put({
    ref: { publicId: publicIdFor(rig.settings.host.folder, record.id), resourceType: 'image' },
    metadata: writeHostMetadata({
      mark: { state: 'committed' },
      fields: carriedFields(record),
      claim: { key, fingerprint: 'cd'.repeat(16) },
    }),
    body: onePixelPng,
    signal: AbortSignal.timeout(5_000),
  });
  await expect(rig.worker()({ mode: 'full' })).rejects.toBeInstanceOf(HandBack);
  expect(await rig.redis.exists(rig.keys.claim(key))).toBe(0);
  expect(await rig.records()).toEqual([]);
});

it('undoes no edit made here, though it tells late what it took in before the next edit there', async () => {
  const rig = await openSyncRig(sandbox, 'local');
  const asset = await rig.upload({ title: 'Old' });
  await rig.sync();
  const { id } = rig.recordOf(asset);
  const editThere = async (title: string): Promise<void> => {
    await rig.host.annotate(asset, { context: { ...asset.context, title }, tags: asset.tags });
    await rig.sync();
  };
  await editThere('First');
  const first = (await rig.catalog.findMergeBases([id])).get(id);
  await editThere('Second');
  const record = await rig.catalog.find(id);
  if (first === undefined || record === null) throw new Error('nothing was taken in');
  await rig.catalog.noteMergeBases([{ id, ...first }]);

  const edited = { ...record, title: 'First', revision: record.revision + 1 };
  expect(await rig.catalog.saveIf(edited, record)).toBe('updated');
  await pushRecord(rig, id, AbortSignal.timeout(5_000));
  expect(await rig.catalog.find(id)).toMatchObject({ title: 'First' });
  expect((await rig.host.find(asset))?.context).toMatchObject({ title: 'First' });
});
