import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import {
  startFaultProxy,
  startRedisSandbox,
  type FaultProxy,
  type RedisSandbox,
} from '@holdfast/shared/testing';
import type { Route } from '../src/http/route.js';
import { routes } from '../src/routes.js';
import { aPng, upload } from './support/api-pair.js';
import { startApi, type RunningApi } from './support/running-api.js';

let redis: RedisSandbox;
let line: FaultProxy;
let emulator: CloudinaryEmulator;
let api: RunningApi;
/** Media that were acknowledged. */
const kept: string[] = [];
/** How each route answers when Redis is as fast as ever, to compare with. */
let usual: Record<string, number>;

beforeAll(async () => {
  redis = await startRedisSandbox();
  emulator = await startCloudinaryEmulator();
  line = await startFaultProxy(redis.port);
  api = await startApi(
    { url: `redis://127.0.0.1:${String(line.port)}` },
    { CLOUDINARY_URL: emulator.cloudinaryUrl },
  );
  usual = statuses(await askEverything(0));
});
afterAll(async () => {
  await api.close();
  await line.close();
  await emulator.close();
  await redis.close();
});

interface Answered {
  status: number;
  code: string;
  ms: number;
}

/** Asks for one route, as its usual client would. */
async function ask({ method: given, path: pattern }: Route, id: string): Promise<Answered> {
  const path = pattern.replace(':id', id).replace(':file', 'x').replace('*path', 'x');
  const method = given === 'ALL' ? 'GET' : given;
  const start = performance.now();
  const answered = (status: number, body: unknown): Answered => ({
    status,
    code: (body as { code?: string } | null)?.code ?? '',
    ms: performance.now() - start,
  });
  if (path === '/api/media/upload') {
    const { status, body } = await upload(api, aPng());
    if (status === 202) kept.push(body.media.id as string);
    return answered(status, body);
  }
  if (path.endsWith('/events')) {
    const reading = new AbortController();
    const response = await api.request(path, { signal: reading.signal });
    const body: unknown = response.status === 200 ? null : await response.json();
    reading.abort();
    return answered(response.status, body);
  }
  const { status, body } = await api.call(method, path, method === 'PATCH' ? { title: 'B' } : undefined);
  return answered(status, body);
}

/** Every route with a media item of its own; `delayMs` is how much longer Redis takes for each answer. */
async function askEverything(delayMs: number): Promise<Record<string, Answered>> {
  line.set({ kind: 'pass' });
  const asked = await Promise.all(
    routes(api.deps).map(async (route) => ({ route, media: await api.addMedia() })),
  );
  if (delayMs > 0) line.set({ kind: 'delay', ms: delayMs / 2 });
  // What is known of Redis may be half a second old; here it is from before.
  await vi.waitFor(async () =>
    expect((await api.call('GET', '/readyz')).status).toBe(delayMs < 500 ? 200 : 503),
  );
  const answers: Record<string, Answered> = {};
  for (const { route, media } of asked) answers[`${route.method} ${route.path}`] = await ask(route, media.id);
  return answers;
}

const statuses = (answers: Record<string, Answered>) =>
  Object.fromEntries(Object.entries(answers).map(([name, { status }]) => [name, status]));

/** What was refused left nothing on the host, and what was acknowledged is there. */
async function expectOnlyWhatWasAcknowledged(): Promise<void> {
  for (const id of kept) expect((await api.call('GET', `/api/media/${id}`)).status).toBe(200);
  const uploaded = await emulator.assets.list({ limit: 500 });
  const byUpload = uploaded.filter(({ context }) => JSON.stringify(context).includes('anonymous'));
  expect(byUpload.length).toBe(kept.length);
  const ids = await redis.client.zrange(api.deps.keys.intents, 0, '-1');
  expect([...(await api.deps.intents.findStates(ids)).values()]).not.toContain('refused');
}

it('every route answers at its usual speed, to compare with', () => {
  expect(usual).toMatchObject({ 'POST /api/media/upload': 202, 'GET /api/media/:id': 200 });
  expect(Object.values(usual).filter((status) => status >= 500)).toEqual([]);
});

it('every route does its work when Redis takes 100 ms for each answer', async () => {
  const answers = await askEverything(100);
  expect(statuses(answers)).toEqual(usual);
  for (const [name, { ms }] of Object.entries(answers))
    expect({ name, slow: ms > 2_000 }).toEqual({ name, slow: false });
  line.set({ kind: 'pass' });
  await expectOnlyWhatWasAcknowledged();
});

it.each([1_000, 10_000])(
  'every route answers within a second and says why when Redis takes %i ms, keeps what it accepted, and recovers by itself',
  async (delayMs) => {
    const answers = await askEverything(delayMs);
    for (const [name, { status, code, ms }] of Object.entries(answers)) {
      // A second, and half of one for a busy machine.
      expect({ name, slow: ms > 1_500 }).toEqual({ name, slow: false });
      const truth = name === 'GET /api/media/health' ? '' : /^(QUEUE|CATALOG)_UNAVAILABLE$/.exec(code)?.[0];
      const expected = status === usual[name] ? { name, status } : { name, status: 503, code: truth };
      expect({ name, status, code }).toMatchObject(expected);
    }
    for (const name of [
      'POST /api/media/upload',
      'GET /api/media',
      'GET /api/media/:id',
      'GET /api/media/health',
    ])
      expect(answers[name]?.status).toBe(503);
    const { body } = await api.call('GET', '/api/media/database/status');
    expect(body).toMatchObject({
      storage: {
        connected: false,
        connectionTest: expect.stringMatching(/^failed: Redis does not serve: /) as string,
      },
      mediaCount: null,
    });
    line.set({ kind: 'pass' });
    await vi.waitFor(async () => expect((await api.call('GET', '/readyz')).status).toBe(200));
    const before = kept.length;
    expect(statuses(await askEverything(0))).toEqual(usual);
    expect(kept.length).toBe(before + 1);
    await expectOnlyWhatWasAcknowledged();
  },
);
