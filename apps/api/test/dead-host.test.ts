import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import {
  startFaultProxy,
  startRedisSandbox,
  type FaultProxy,
  type RedisSandbox,
} from '@holdfast/shared/testing';
import { aPng, upload } from './support/api-pair.js';
import { rawRequest } from './support/raw-request.js';
import { startApi, type RunningApi } from './support/running-api.js';

let redis: RedisSandbox;
beforeAll(async () => {
  redis = await startRedisSandbox();
});
afterAll(() => redis.close());

let emulator: CloudinaryEmulator;
let link: FaultProxy;
let api: RunningApi;
beforeEach(async () => {
  emulator = await startCloudinaryEmulator();
  onTestFinished(() => emulator.close());
  link = await startFaultProxy(Number(new URL(emulator.url).port));
  onTestFinished(() => link.close());
  const url = new URL(emulator.cloudinaryUrl);
  url.searchParams.set('upload_prefix', `http://127.0.0.1:${String(link.port)}`);
  api = await startApi(redis, { CLOUDINARY_URL: url.href });
  onTestFinished(() => api.close());
});

const ready = async () => (await api.call('GET', '/readyz')).body;
const isDown = () => vi.waitFor(async () => expect(await ready()).toMatchObject({ status: 'not ready' }));
const isUp = () => vi.waitFor(async () => expect(await ready()).toEqual({ status: 'ready' }));
async function uploadUntilDown(): Promise<void> {
  for (let tries = 0; tries < 5; tries += 1) await upload(api, aPng());
  await isDown();
}
/** What uploads leave in Redis while they run, or for a sweep; a refused one is only looked for once more. */
const leftInRedis = async () => {
  const { keys, intents, uploadSlots } = api.deps;
  const states = await intents.findStates(await redis.client.zrange(keys.intents, 0, '-1'));
  return {
    intents: [...states.values()].filter((state) => state !== 'refused').length,
    running: uploadSlots.running,
  };
};

it.each([420, 429] as const)(
  'says when to come back where the host answers %i, and keeps nothing',
  async (status) => {
    await emulator.faults.add({ kind: 'rate-limit', status, match: { endpoint: 'upload' } });
    const refused = await upload(api, aPng());
    expect(refused).toMatchObject({ status: 502, body: { code: 'HOST_REJECTED' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await leftInRedis()).toEqual({ intents: 0, running: 0 });
    expect(await emulator.assets.list({ limit: 10 })).toEqual([]);
    await emulator.faults.clear();
    expect((await upload(api, aPng())).status).toBe(202);
  },
);

it('refuses uploads at once and unread while the host is down, reports it everywhere, and recovers by itself', async () => {
  link.set({ kind: 'refuse' });
  await uploadUntilDown();
  const start = performance.now();
  const { status, headers, body } = await upload(api, aPng(5_000_000));
  expect(performance.now() - start).toBeLessThan(1_000);
  expect(status).toBe(502);
  expect(body).toMatchObject({
    code: 'HOST_REJECTED',
    detail: 'the media host has been failing; not attempted',
  });
  expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(5);
  // A client that asks first is never invited to send its body.
  const head = `POST /api/media/upload HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9000\r\n`;
  const type = 'Content-Type: multipart/form-data; boundary=b\r\n\r\n';
  expect(await rawRequest(api.port, head + type, { until: /HTTP\/1.1 \d\d\d/ })).toMatch(/^HTTP\/1.1 502/);
  expect(await ready()).toMatchObject({ status: 'not ready', code: 'HOST_REJECTED' });
  const health = await api.call('GET', '/api/media/health');
  expect(health.status).toBe(200);
  expect(health.body).toMatchObject({
    status: 'degraded',
    host: { reachable: false, circuit: 'open', lastErrorCode: 'HOST_REJECTED' },
  });
  expect(await leftInRedis()).toEqual({ intents: 0, running: 0 });
  link.set({ kind: 'pass' });
  await isUp();
  expect((await upload(api, aPng())).status).toBe(202);
  expect((await api.call('GET', '/api/media/health')).body).toMatchObject({ host: { circuit: 'closed' } });
  expect(await emulator.assets.count()).toBe(1);
});

it.each([
  ['does not answer', { kind: 'html', status: 503 }, / has been failing since 2\S+Z \(HOST_REJECTED: /],
  [
    'refuses our credentials',
    { kind: 'error', status: 401, message: 'unknown api_key' },
    / has refused our credentials since 2\S+Z \(HOST_REJECTED: unknown api_key/,
  ],
] as const)('finds that the host %s, and by itself that it is back', async (_case, fault, message) => {
  const findings = async (path: string) =>
    (await api.call('GET', path)).body.storage.findings as { code: string }[];
  const healthy = await findings('/api/media/health');
  await emulator.faults.add({ ...fault, count: null });
  await upload(api, aPng());
  for (const path of ['/api/media/health', '/api/media/database/status'])
    expect(await findings(path)).toContainEqual({
      code: 'HOST_FAILING',
      severity: 'warning',
      message: expect.stringMatching(message) as string,
      fix: expect.any(String) as string,
    });
  expect((await api.call('GET', '/api/media/health')).body.status).toBe('degraded');
  await emulator.faults.clear();
  const heardAt = performance.now();
  await vi.waitFor(async () => expect(await findings('/api/media/health')).toEqual(healthy), {
    timeout: 15_000,
  });
  expect(performance.now() - heardAt).toBeLessThan(15_000);
});

it('accepts deletes and edits while the host is down, and replays finished uploads', async () => {
  const first = await upload(api, aPng(), { key: 'k' });
  const data = aPng();
  const kept = await upload(api, data, { key: 'kept' });
  link.set({ kind: 'refuse' });
  await uploadUntilDown();
  const start = performance.now();
  const path = `/api/media/${String(first.body.media.id)}`;
  expect((await api.call('PATCH', path, { title: 'B' })).status).toBe(202);
  expect((await api.call('DELETE', path)).status).toBe(202);
  const again = await upload(api, data, { key: 'kept' });
  expect(again.status).toBe(202);
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(again.body.media.id).toBe(kept.body.media.id);
  expect(performance.now() - start).toBeLessThan(2_000);
  expect((await api.call('GET', path)).body.status).toBe('deleting');
});

it.each(['refuse', 'answer 500'])(
  'holds neither sockets nor memory for 500 uploads to a host that does nothing but %s',
  async (kind) => {
    const data = aPng(100_000);
    await upload(api, data);
    const before = await leftInRedis();
    if (kind === 'refuse') link.set({ kind: 'refuse' });
    else await emulator.faults.add({ kind: 'error', count: null });
    const answers: { code: string; detail: string }[] = [];
    const load = async (each: number): Promise<void> => {
      const client = async (): Promise<void> => {
        for (let n = 0; n < each; n += 1)
          answers.push((await upload(api, data)).body as { code: string; detail: string });
      };
      await Promise.all(Array.from({ length: 50 }, client));
    };
    await load(2);
    const heapBefore = usedHeap();
    await load(10);
    // Those that ran when the circuit opened have failed by themselves; Redis may be late where all share two cores.
    for (const { code } of answers) expect(['HOST_REJECTED', 'QUEUE_UNAVAILABLE']).toContain(code);
    expect(answers.filter(({ detail }) => /not attempted/.test(detail)).length).toBeGreaterThan(400);
    // Intents that were opened ahead expire after a second.
    await vi.waitFor(async () => expect(await leftInRedis()).toEqual(before), { timeout: 5_000 });
    await vi.waitFor(async () => expect((await emulator.requests.counters()).openSockets).toBe(0));
    await vi.waitFor(() => expect(usedHeap() - heapBefore).toBeLessThan(15_000_000));
    expect(await emulator.assets.count()).toBe(1);
  },
);

/** Of this process, after everything that can be thrown away was. */
function usedHeap(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}
