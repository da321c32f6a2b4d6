import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { readSettings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import type { MediaRecord } from '@holdfast/shared/media';
import { redisKeys } from '@holdfast/shared/redis';
import { aRecord, onePixelPng, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { createDeliveryCheck } from './delivery-check.js';

let redis: RedisSandbox;
let emulator: CloudinaryEmulator;
const keys = redisKeys('holdfast');
const PDF = Buffer.from('%PDF-1.7\n');
const MINUTE = 60_000;

beforeEach(async () => {
  [redis, emulator] = await Promise.all([startRedisSandbox(), startCloudinaryEmulator()]);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all([redis.close(), emulator.close()]);
});

const aCheck = (cloudinaryUrl = emulator.cloudinaryUrl) =>
  createDeliveryCheck(redis.client, keys, readSettings({ CLOUDINARY_URL: cloudinaryUrl }).host, silentLogger);

async function stored(name: string, content = PDF): Promise<MediaRecord> {
  const { format, version } = await emulator.assets.put({ publicId: name, resourceType: 'image', content });
  const { origin } = new URL(emulator.url);
  const url = `${origin}/emulated-cloud/image/upload/v${String(version)}/${name}.${String(format)}`;
  return aRecord({ url, format });
}

const blocked = () => redis.client.hgetall(keys.blockedDelivery);
const asked = async (): Promise<number> =>
  (await emulator.requests.recent()).filter(({ endpoint }) => endpoint === 'deliver').length;
const isAsked = (times: number) => vi.waitFor(async () => expect(await asked()).toBe(times));

it('remembers that the host refuses to deliver a kind of file, until it delivers it', async () => {
  await emulator.configure({ blockedDelivery: ['pdf'] });
  const check = aCheck();
  check.verified(await stored('a'));
  await vi.waitFor(async () => expect(Object.keys(await blocked())).toEqual(['pdf']));
  await check.again();
  expect(Object.keys(await blocked())).toEqual(['pdf']);
  await emulator.configure({ blockedDelivery: [] });
  // Another worker of the fleet.
  await aCheck().again();
  expect(await blocked()).toEqual({});
});

it('asks once for each kind of file, and soon again only where it is blocked', async () => {
  await emulator.configure({ blockedDelivery: ['pdf'] });
  const check = aCheck();
  for (const name of ['a', 'b', 'c']) check.verified(await stored(name));
  check.verified(await stored('d', onePixelPng));
  await vi.waitFor(async () => expect(Object.keys(await blocked())).toEqual(['pdf']));
  await isAsked(2);
  await emulator.configure({ blockedDelivery: [] });
  const now = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => now + 2 * MINUTE);
  check.verified(await stored('e', onePixelPng));
  check.verified(await stored('f'));
  await vi.waitFor(async () => expect(await blocked()).toEqual({}));
  expect(await asked()).toBe(3);
});

it('does not mistake another failure for a refusal', async () => {
  const check = aCheck();
  await emulator.faults.add({ kind: 'error', status: 500, match: { endpoint: 'deliver' } });
  check.verified(await stored('a'));
  await isAsked(1);
  check.verified(aRecord({ url: `${new URL(emulator.url).origin}/nothing/image/upload/x.png` }));
  await isAsked(2);
  expect(await blocked()).toEqual({});
});

it('asks for nothing that others put on the host', async () => {
  await emulator.configure({ blockedDelivery: ['pdf'] });
  const check = aCheck();
  check.verified({ ...(await stored('a')), source: 'sync' });
  check.verified({ ...(await stored('b', onePixelPng)), source: 'upload' });
  await isAsked(1);
  expect(await blocked()).toEqual({});
});

it('forgets what was blocked on another cloud', async () => {
  await emulator.configure({ blockedDelivery: ['pdf'] });
  const check = aCheck();
  check.verified(await stored('a'));
  await vi.waitFor(async () => expect(Object.keys(await blocked())).toEqual(['pdf']));
  await aCheck(emulator.cloudinaryUrl.replace(/@[^?]+/, '@another-cloud')).again();
  expect(await blocked()).toEqual({});
});

it('passes over what cannot be read of another version', async () => {
  await redis.client.hset(keys.blockedDelivery, { pdf: 'no JSON' });
  await expect(aCheck().again()).resolves.toBeUndefined();
});
