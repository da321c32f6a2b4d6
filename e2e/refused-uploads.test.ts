import { createHash } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import { audit } from './harness/audit.js';
import { aPng } from './harness/client.js';
import { deploymentOf } from './harness/deployment.js';

/** Larger than what is read whole, so that the bytes are on the host before the digest is known to be wrong. */
const LARGE = 600_000;
const otherDigest = `sha-256=:${createHash('sha256').update('other bytes').digest('base64')}:`;

it('S18: never adopts a refused upload that could not be removed, also after Redis was emptied, and removes it in the end', async (context) => {
  const deployment = await deploymentOf(context);
  const { emulator, redis } = deployment;
  if (emulator === null) throw new Error('no emulator');
  const [{ client }, worker] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
  await worker.waitForLog((line) => line.message === 'sync.finished');
  await emulator.faults.add({ kind: 'error', status: 500, count: null, match: { endpoint: 'destroy' } });
  const { status, body } = await client.upload(aPng(LARGE), {}, { 'Repr-Digest': otherDigest });
  expect({ status, code: body.code }).toEqual({ status: 400, code: 'DIGEST_MISMATCH' });
  const left = async () => (await emulator.assets.list()).filter(({ type }) => type === 'upload');
  expect((await left()).map(({ context: marks }) => marks['hf'])).toEqual(['0']);

  await redis.wipe();
  expect(await client.sync('full')).toMatchObject({ status: 200, body: { result: 'ok' } });
  expect(await client.all()).toEqual([]);
  expect(await left()).toHaveLength(1);

  // Past the time that the upload itself may have taken, on the host's clock.
  await emulator.configure({ clockOffsetMs: 180_000 });
  await emulator.faults.clear();
  // The first run may still go by what the host's clock was before it jumped.
  await vi.waitFor(async () => {
    expect(await client.sync('full')).toMatchObject({ status: 200, body: { result: 'ok' } });
    expect(await left()).toEqual([]);
  });
  expect(await audit(deployment, client, [])).toEqual([]);
});
