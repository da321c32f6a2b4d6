import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import type { MediaRecord } from '@holdfast/shared/media';
import { removeRecord } from '@holdfast/shared/removal';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type SyncRig } from '../test/support/sync-rig.js';
import type { JobContext } from './run-job.js';
import { createSaveMedia, createVerifyMedia } from './save-and-verify.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const context: JobContext = { signal: new AbortController().signal, attempt: 1, log: silentLogger };
const twoDaysAgo = new Date(Date.now() - 48 * 3_600_000).toISOString();

/** What an operator does who tries kept jobs again. */
async function tryAgain({ parts, catalog, host }: SyncRig, record: MediaRecord): Promise<void> {
  const verify = createVerifyMedia({
    ...parts,
    catalog,
    host,
    settings: { durability: { required: undefined, replicas: 0 } },
    afterUpload: () => undefined,
  });
  await verify({ record, round: 0 }, context).catch(() => undefined);
  await createSaveMedia({ catalog, host })({ record, round: 0 }, context);
  await verify({ record, round: 0 }, context);
}

describe.each(['local', 'cloudinary'] as const)(
  'jobs of an upload that are tried again days later, %s',
  (kind) => {
    it('bring back nothing that was deleted, also once its tombstone is over', async () => {
      const rig = await openSyncRig(sandbox, kind);
      const record = rig.recordOf(await rig.upload({ createdAt: twoDaysAgo }));
      await rig.catalog.save(record);
      await rig.catalog.beginDelete(record.id);
      await removeRecord(rig, record, AbortSignal.timeout(5_000));
      await rig.redis.del(rig.keys.tombstones);
      await tryAgain(rig, record);
      expect(await rig.catalog.find(record.id)).toBeNull();
    });

    it('bring back a record that was lost, and not deleted', async () => {
      const rig = await openSyncRig(sandbox, kind);
      const record = rig.recordOf(await rig.upload({ createdAt: twoDaysAgo }));
      await tryAgain(rig, record);
      expect(await rig.catalog.find(record.id)).toMatchObject({ status: 'verified' });
    });
  },
);
