import { createHash, randomUUID } from 'node:crypto';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startCloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { onePixelPng, startRedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

const [OWN, NEXT] = ['own-secret-of-the-url', 'secret-of-the-next-key'];
const SECONDS = 1_000;
const HOUR = 3_600 * SECONDS;

/** Two APIs of one deployment. */
async function twoApis(env: Record<string, string> = {}): Promise<[RunningApi, RunningApi]> {
  const redis = await startRedisSandbox();
  onTestFinished(() => redis.close());
  // Nobody is asked there.
  const CLOUDINARY_URL = `cloudinary://key:${OWN}@demo?upload_prefix=http://127.0.0.1:9`;
  const shared = { CLOUDINARY_URL, REDIS_PREFIX: 'two', ...env };
  const apis = await Promise.all([startApi(redis, shared), startApi(redis, shared)]);
  onTestFinished(async () => {
    await Promise.all(apis.map((api) => api.close()));
  });
  return apis;
}

interface Sent {
  secret?: string;
  signature?: string;
  ageMs?: number;
}

async function notify(api: RunningApi, { secret = NEXT, signature, ageMs = 0 }: Sent = {}): Promise<number> {
  const body = JSON.stringify({ notification_type: 'eager', request_id: randomUUID() });
  const at = String(Math.floor((Date.now() - ageMs) / SECONDS));
  const signed = createHash('sha1').update(`${body}${at}${secret}`).digest('hex');
  const { status } = await api.request('/api/media/webhooks/cloudinary', {
    method: 'POST',
    body,
    headers: {
      'Content-Type': 'application/json',
      'X-Cld-Timestamp': at,
      'X-Cld-Signature': signature ?? signed,
    },
  });
  return status;
}

async function refuse(api: RunningApi, count: number, sent: Sent = {}): Promise<void> {
  for (let time = 0; time < count; time += 1) expect(await notify(api, sent)).toBe(401);
}

interface Finding {
  code: string;
  severity: string;
  fix: string;
}

async function foundBy(api: RunningApi): Promise<Finding | undefined> {
  const { body } = await api.call('GET', '/api/media/database/status');
  return (body as { storage: { findings: Finding[] } }).storage.findings.find(
    ({ code }) => code === 'WEBHOOK_SIGNATURES',
  );
}

/** One look may be shared for half a second. */
const finds = (api: RunningApi) => expect.poll(() => foundBy(api), { timeout: 15_000 });

it('accepts notifications signed with any of the secrets', async () => {
  const [api] = await twoApis({ CLOUDINARY_WEBHOOK_SECRETS: `a-third-webhook-secret,${NEXT}` });
  for (const secret of [OWN, NEXT, 'a-third-webhook-secret']) expect(await notify(api, { secret })).toBe(200);
  expect(await notify(api, { secret: 'a-secret-nobody-has' })).toBe(401);
});

it('accepts what Cloudinary signs with the secret of another key, before and after a rotation', async () => {
  const emulator = await startCloudinaryEmulator({ apiSecret: OWN });
  onTestFinished(() => emulator.close());
  const { cloudinaryUrl } = emulator;
  const [api] = await twoApis({ CLOUDINARY_URL: cloudinaryUrl, CLOUDINARY_WEBHOOK_SECRETS: NEXT });
  await emulator.configure({ webhookTargets: [`${api.url}/api/media/webhooks/cloudinary`] });
  for (const [index, notificationSecret] of [null, NEXT, 'a-secret-nobody-has'].entries()) {
    await emulator.configure({ notificationSecret });
    await emulator.assets.put({ publicId: randomUUID(), resourceType: 'image', content: onePixelPng });
    await vi.waitFor(async () => expect(await emulator.webhooks.deliveries()).toHaveLength(index + 1));
  }
  expect((await emulator.webhooks.deliveries()).map(({ status }) => status)).toEqual([200, 200, 401]);
});

it('reports ten signatures that no secret fits, and the setting that helps', async () => {
  const [api] = await twoApis();
  await refuse(api, 9);
  expect(await foundBy(api)).toBeUndefined();
  await refuse(api, 1);
  await finds(api).toMatchObject({
    severity: 'notice',
    fix: expect.stringMatching(/API Keys.*CLOUDINARY_WEBHOOK_SECRETS/) as unknown,
  });
});

it('counts no signature that is stale or none at all', async () => {
  const [api] = await twoApis();
  await refuse(api, 10, { ageMs: 3 * HOUR });
  await refuse(api, 10, { signature: 'none' });
  expect(await foundBy(api)).toBeUndefined();
});

it('counts for the whole fleet, until one of them gets a good signature', async () => {
  const [one, other] = await twoApis();
  await refuse(one, 5);
  await refuse(other, 5);
  // Written from time to time, not at each.
  await finds(one).toBeDefined();
  await finds(other).toBeDefined();
  expect(await notify(other, { secret: OWN })).toBe(200);
  await finds(other).toBeUndefined();
  await finds(one).toBeUndefined();
});

it('forgets them after an hour of silence', async () => {
  const [api] = await twoApis();
  await refuse(api, 10);
  await finds(api).toBeDefined();
  const now = Date.now();
  vi.spyOn(Date, 'now').mockImplementation(() => now + HOUR + SECONDS);
  onTestFinished(() => void vi.restoreAllMocks());
  await expect.poll(() => foundBy(api)).toBeUndefined();
});

it('costs Redis no command for each', async () => {
  const [api] = await twoApis();
  const { request } = api.deps.redis;
  const commands = async (): Promise<number> =>
    Number(/total_commands_processed:(\d+)/.exec(await request.info('stats'))?.[1]);
  const before = await commands();
  await refuse(api, 200);
  // Each that is noted takes four, counted inside the script; the 190 others none.
  expect((await commands()) - before).toBeLessThan(100);
});
