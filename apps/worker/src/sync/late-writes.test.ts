import { afterAll, beforeAll, expect, it } from 'vitest';
import { HandBack } from '@holdfast/shared/jobs';
import { publicIdFor, writeHostMetadata } from '@holdfast/shared/media';
import { aRecord, onePixelPng, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig } from '../../test/support/sync-rig.js';

// What a run still writes after another worker has taken its lease.

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

it('spends no Idempotency-Key on a file that is gone by now', async () => {
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
      fields: record,
      claim: { key, fingerprint: 'cd'.repeat(16) },
    }),
    body: onePixelPng,
    signal: AbortSignal.timeout(5_000),
  });
  await expect(rig.worker()({ mode: 'full' })).rejects.toBeInstanceOf(HandBack);
  expect(await rig.redis.exists(rig.keys.claim(key))).toBe(0);
  expect(await rig.records()).toEqual([]);
});
