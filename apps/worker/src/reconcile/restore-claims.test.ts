import { afterAll, beforeAll, expect, it } from 'vitest';
import { createClaims, type Claims } from '@holdfast/shared/idempotency';
import {
  bindingOf,
  newMediaId,
  publicIdFor,
  readHostMetadata,
  writeHostMetadata,
  type CommitMark,
  type MediaRecord,
  type UploadClaim,
} from '@holdfast/shared/media';
import { aRecord, onePixelPng, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';

let redis: RedisSandbox;
beforeAll(async () => {
  redis = await startRedisSandbox();
});
afterAll(() => redis.close());

const HOUR = 60 * 60 * 1_000;
const claimOf = (digit: string): UploadClaim => ({ key: digit.repeat(32), fingerprint: 'ab'.repeat(16) });

async function put(
  { host }: SyncRig,
  claim: UploadClaim,
  over: Partial<MediaRecord> = {},
  mark: CommitMark = { state: 'committed' },
): Promise<string> {
  const record = aRecord(over);
  await host.put({
    ref: { publicId: over.publicId ?? publicIdFor('holdfast', record.id), resourceType: 'image' },
    metadata: writeHostMetadata({ mark, fields: record, claim }),
    body: onePixelPng,
    signal: AbortSignal.timeout(5_000),
  });
  return record.id;
}

/** As a sync does that has seen the new name. */
async function bind({ host }: SyncRig, publicId: string): Promise<void> {
  const asset = await host.find({ publicId, resourceType: 'image' });
  const carried = asset === null ? null : readHostMetadata(asset);
  if (asset === null || carried === null) throw new Error('no mark');
  await host.annotate(
    asset,
    writeHostMetadata({ ...carried, boundTo: bindingOf('holdfast', asset.assetId) }),
  );
}

/** What a request with the key would get. */
const known = async (claims: Claims, { key }: UploadClaim): Promise<unknown> => {
  const reply = await claims.claim(key, newMediaId(), null);
  return reply.state === 'done' ? reply.finished : reply.state;
};

it.each(['local', 'cloudinary'] as const)(
  'restores the keys of the last day when the catalog is rebuilt (%s host)',
  async (kind) => {
    const rig = await openSyncRig(redis, kind);
    const claims = createClaims(rig.redis, rig.keys);
    const ago = (hours: number): string => new Date(Date.now() - hours * HOUR).toISOString();
    const id = await put(rig, claimOf('1'), { createdAt: ago(23) });
    await put(rig, claimOf('2'), { createdAt: ago(25) });
    await put(rig, claimOf('3'), {}, { state: 'started', deadlineSeconds: 600 });
    await put(rig, claimOf('4'), { publicId: 'elsewhere/copy' });
    const renamed = await put(rig, claimOf('5'), { publicId: 'elsewhere/renamed' });
    await bind(rig, 'elsewhere/renamed');
    await rig.sync({ dryRun: true });
    expect(await rig.redis.exists(rig.keys.claim(claimOf('1').key))).toBe(0);
    await rig.sync();
    expect(await rig.redis.pttl(rig.keys.claim(claimOf('1').key))).toBeLessThanOrEqual(HOUR);
    expect(await known(claims, claimOf('1'))).toEqual({
      id,
      fingerprint: claimOf('1').fingerprint,
      duplicate: false,
    });
    expect(await known(claims, claimOf('5'))).toMatchObject({ id: renamed });
    for (const other of ['2', '3', '4']) expect(await known(claims, claimOf(other))).toBe('held');
  },
);

it('restores in a recovery also the keys of media that are in the catalog again, and in no other run', async () => {
  const rig = await openSyncRig(redis, 'local');
  const claims = createClaims(rig.redis, rig.keys);
  const id = await put(rig, claimOf('1'));
  await rig.sync();
  await rig.redis.del(rig.keys.claim(claimOf('1').key));
  await rig.sync();
  expect(await rig.redis.exists(rig.keys.claim(claimOf('1').key))).toBe(0);
  await rig.redis.del(rig.keys.syncState);
  await rig.sync({ trigger: 'recovery' });
  expect(await known(claims, claimOf('1'))).toMatchObject({ id });
});
