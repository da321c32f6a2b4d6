import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openRefreshRig } from '../../test/support/refresh-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

it('waits for the recovery of an emptied catalog: what was deleted must not come in', async () => {
  const rig = await openRefreshRig(sandbox, { emptied: true });
  const asset = await rig.upload();
  await expect(rig.refresh('changed', asset)).rejects.toMatchObject({ name: 'HandBack', delayMs: 2_000 });
  await expect(rig.lastAttempt(asset, 30_000)).rejects.toMatchObject({
    delayMs: expect.closeTo(30_000, -3) as number,
  });
  await expect(rig.lastAttempt(asset, 10 * 60_000)).rejects.toMatchObject({ delayMs: 60_000 });
  expect(await rig.records()).toEqual([]);
  await rig.sync();
  await rig.refresh('changed', asset);
  expect(await rig.records()).toHaveLength(1);
});

it('does not wait for ever where the host gives no listing', async () => {
  const rig = await openRefreshRig(sandbox, { emptied: true });
  const asset = await rig.upload();
  await rig.lastAttempt(asset, 21 * 60_000);
  expect(await rig.records()).toHaveLength(1);
});
