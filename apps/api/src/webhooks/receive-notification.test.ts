import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

let redis: RedisSandbox;
let emulator: CloudinaryEmulator;
let api: RunningApi;
const PATH = '/api/media/webhooks/cloudinary';
const SECRET = 'not-a-real-secret';

beforeAll(async () => {
  [redis, emulator] = await Promise.all([
    startRedisSandbox(),
    startCloudinaryEmulator({ apiSecret: SECRET }),
  ]);
  api = await startApi(redis, { CLOUDINARY_URL: emulator.cloudinaryUrl, API_KEYS: 'a:admin:admin-secret' });
});
afterAll(async () => {
  await api.close();
  await emulator.close();
  await redis.close();
});

const now = (): number => Math.floor(Date.now() / 1_000);
const notification = (over: object = {}): string =>
  JSON.stringify({
    notification_type: 'upload',
    request_id: randomUUID(),
    public_id: 'cats/tom',
    resource_type: 'image',
    type: 'upload',
    asset_id: 'a1',
    version: 7,
    ...over,
  });

interface Sent {
  at?: number;
  secret?: string;
  algorithm?: string;
  headers?: Record<string, string>;
  to?: RunningApi;
}

async function send(body: string, sent: Sent = {}): Promise<{ status: number; code: string | undefined }> {
  const { at = now(), secret = SECRET, algorithm = 'sha1', to = api } = sent;
  const headers = sent.headers ?? {
    'X-Cld-Timestamp': String(at),
    'X-Cld-Signature': createHash(algorithm)
      .update(`${body}${String(at)}${secret}`)
      .digest('hex'),
  };
  const response = await to.request(PATH, {
    method: 'POST',
    body,
    headers: { 'Content-Type': 'application/json', ...headers },
  });
  const answer = (await response.json()) as { code?: string };
  return { status: response.status, code: answer.code };
}

async function queued(): Promise<unknown[]> {
  const jobs = await api.deps.queues.queues.save.getJobs(['waiting']);
  return jobs.filter(({ name }) => name === 'refresh').map((job) => job.data as unknown);
}
const accepted = { status: 200, code: undefined };
const refused = { status: 401, code: 'INVALID_SIGNATURE' };

describe('notifications of Cloudinary', () => {
  it.each(['sha1', 'sha256'])(
    'are taken without an API key, signed with %s, and lead to one look',
    async (algorithm) => {
      const before = await queued();
      expect(await send(notification(), { algorithm })).toEqual(accepted);
      const after = await queued();
      expect(after).toHaveLength(before.length + 1);
      expect(after).toContainEqual(
        expect.objectContaining({
          change: 'uploaded',
          assets: [{ publicId: 'cats/tom', resourceType: 'image', assetId: 'a1', version: 7 }],
        }),
      );
    },
  );

  it.each<[string, Sent]>([
    ['another secret', { secret: 'guessed' }],
    ['a stale timestamp', { at: now() - 7_300 }],
    ['a timestamp in the future', { at: now() + 400 }],
    ['no signature', { headers: {} }],
    ['a signature without a timestamp', { headers: { 'X-Cld-Signature': 'a'.repeat(40) } }],
    ['the admin key in the place of a signature', { headers: { Authorization: 'Bearer admin-secret' } }],
  ])('are refused with %s', async (_what, sent) => {
    const before = await queued();
    expect(await send(notification(), sent)).toEqual(refused);
    expect(await queued()).toEqual(before);
  });

  it('say what was missing when they are refused, and no browser asks for a login', async () => {
    const headers = { 'Content-Type': 'application/json' };
    const signed = { ...headers, 'X-Cld-Timestamp': String(now()), 'X-Cld-Signature': 'a'.repeat(40) };
    for (const sent of [headers, signed]) {
      const answer = await api.request(PATH, { method: 'POST', body: notification(), headers: sent });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Signature realm=/);
    }
  });

  it('are refused when the same signature comes again, and harmless when the host delivers them again', async () => {
    const body = notification();
    const at = now() - 60;
    expect(await send(body, { at })).toEqual(accepted);
    const before = await queued();
    expect(await send(body, { at })).toEqual(refused);
    expect(await send(body, { at: at + 1 })).toEqual(accepted);
    for (const again of [at, at + 1]) expect(await send(body, { at: again })).toEqual(refused);
    expect(await queued()).toEqual(before);
    // Nothing is kept for ever.
    expect(await redis.client.ttl(await onlyKey(body))).toBeLessThanOrEqual(7_500);
  });

  it('about many assets become several jobs of bounded size', async () => {
    const resources = Array.from({ length: 120 }, (_, index) => ({
      public_id: `many/${String(index)}`,
      resource_type: 'image',
      type: 'upload',
      asset_id: `m${String(index)}`,
    }));
    const before = (await queued()).length;
    expect(await send(notification({ notification_type: 'delete', resources }))).toEqual(accepted);
    const jobs = (await queued()) as { change: string; assets: unknown[] }[];
    expect(jobs).toHaveLength(before + 3);
    expect(jobs.filter(({ change }) => change === 'deleted').flatMap(({ assets }) => assets)).toHaveLength(
      120,
    );
  });

  it('of other kinds are taken and ignored', async () => {
    const before = await queued();
    for (const type of ['eager', 'moderation', 'never_heard_of'])
      expect(await send(notification({ notification_type: type }))).toEqual(accepted);
    expect(await send('[]')).toEqual(accepted);
    expect(await queued()).toEqual(before);
  });

  it('must be JSON, and not endless', async () => {
    expect(await send('not json')).toEqual({ status: 400, code: 'MALFORMED_BODY' });
    expect(await send(JSON.stringify({ x: 'y'.repeat(1_000_001) }))).toEqual({
      status: 413,
      code: 'BODY_TOO_LARGE',
    });
  });
});

it('asks Cloudinary to come again while Redis is away, and takes the next delivery', async () => {
  const own = await startRedisSandbox();
  const lonely = await startApi(own, { CLOUDINARY_URL: emulator.cloudinaryUrl });
  try {
    const body = notification();
    const at = now();
    await own.kill();
    expect(await send(body, { at, to: lonely })).toEqual({ status: 503, code: 'QUEUE_UNAVAILABLE' });
    await own.restart();
    await expect.poll(() => send(body, { at, to: lonely })).toEqual(accepted);
  } finally {
    await lonely.close();
    await own.close();
  }
});

it('does not count a notification as received that could not be queued', async () => {
  const broken = await startApi(redis, { CLOUDINARY_URL: emulator.cloudinaryUrl });
  const wait = `${broken.deps.keys.prefix}:save:wait`;
  try {
    const body = notification();
    const at = now();
    await redis.client.set(wait, 'no list');
    expect((await send(body, { at, to: broken })).status).toBe(500);
    await redis.client.del(wait);
    expect(await send(body, { at, to: broken })).toEqual(accepted);
  } finally {
    await broken.close();
  }
});

it('says that the local host has no notifications', async () => {
  const local = await startApi(redis);
  try {
    expect(await send(notification(), { to: local })).toEqual({ status: 501, code: 'NOT_SUPPORTED' });
  } finally {
    await local.close();
  }
});

async function onlyKey(body: string): Promise<string> {
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 32);
  const [key, ...more] = await redis.client.keys(`*:notification:${hash}`);
  expect(more).toEqual([]);
  return key ?? '';
}
