import { readdir } from 'node:fs/promises';
import { inspect } from 'node:util';
import { expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger, type Logger } from '@holdfast/foundation/logging';
import { onePixelPng, startManagedRedis, type ManagedService } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

const quota = 'ERR max requests limit exceeded. Limit: 500000, Usage: 500000. See https://upstash.com/docs';

async function files(api: RunningApi): Promise<string[]> {
  const { host } = api.deps.settings;
  return host.kind === 'local' ? (await readdir(host.directory)).filter((name) => !name.startsWith('.')) : [];
}

async function anUpload(api: RunningApi): Promise<{ status: number; headers: Headers; body: unknown }> {
  const body = new FormData();
  body.set('file', new Blob([onePixelPng]), 'a.png');
  const answer = await api.request('/api/media/upload', { method: 'POST', body });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

it.each<[string, Partial<ManagedService>, Partial<ManagedService>, Record<string, unknown>]>([
  [
    'commands are used up',
    { quota: { left: 0, error: quota } },
    { quota: null },
    {
      code: 'REDIS_QUOTA',
      message: 'Redis refuses all commands: those of its plan are used up',
      retryAfter: '60',
    },
  ],
  [
    'commands are used up, those that greet as well',
    { quota: { left: 0, error: quota, free: [] } },
    { quota: null },
    {
      code: 'REDIS_QUOTA',
      message: 'Redis refuses all commands: those of its plan are used up',
    },
  ],
  [
    'database is full',
    { full: 'ERR DB capacity quota exceeded. Threshold: 268435456 bytes, Usage: 268447091 bytes.' },
    { full: null },
    {
      code: 'REDIS_FULL',
      message: 'Redis refuses writes: its database has reached the size that its plan allows',
      retryAfter: '30',
    },
  ],
  [
    'connections are used up',
    { connections: { limit: 0, error: 'ERR max number of clients reached' } },
    { connections: null },
    {
      code: 'REDIS_CONNECTIONS',
      message: 'Redis refuses connections: its connection limit is reached',
    },
  ],
])('tells everybody that the plan refuses: its %s', async (_what, refusing, serving, told) => {
  const redis = await startManagedRedis();
  onTestFinished(() => redis.close());
  const api = await startApi(redis);
  onTestFinished(() => api.close());
  expect((await api.call('GET', '/readyz')).status).toBe(200);
  const before = await files(api);
  await redis.configure(refusing);
  const { code, message, retryAfter = '2' } = told;
  if (retryAfter === '2') redis.line.cut();
  const finding = expect.objectContaining({
    code,
    severity: 'error',
    message: `${String(message)}. Uploads are refused.`,
    fix: expect.stringMatching(/plan/),
  });
  await vi.waitFor(async () =>
    expect(await api.call('GET', '/api/media/health')).toMatchObject({
      status: 503,
      body: {
        status: 'unhealthy',
        persistence: { testPassed: false, level: null, message },
        storage: { findings: expect.arrayContaining([finding]) },
      },
    }),
  );
  const { storage } = (await api.call('GET', '/api/media/database/status')).body;
  expect(storage).toMatchObject({ connectionTest: `failed: ${String(message)}` });
  expect(storage.findings.filter((one: { code: string }) => one.code === code)).toEqual([finding]);
  // It keeps what Redis said for half a second.
  await vi.waitFor(async () =>
    expect(await api.call('GET', '/readyz')).toMatchObject({
      status: 503,
      body: { code: 'QUEUE_UNAVAILABLE' },
    }),
  );
  const upload = await anUpload(api);
  expect(upload).toMatchObject({ status: 503, body: { code: 'QUEUE_UNAVAILABLE' } });
  expect(upload.headers.get('retry-after')).toBe(retryAfter);
  expect(await files(api)).toEqual(before);
  expect((await api.call('GET', '/metrics')).body).toContain(`holdfast_findings{code="${String(code)}"`);
  await redis.configure(serving);
  await vi.waitFor(async () => expect((await api.call('GET', '/readyz')).status).toBe(200), 30_000);
  expect((await anUpload(api)).status).toBe(202);
  await vi.waitFor(
    async () => expect((await api.call('GET', '/api/media/health')).body.persistence.testPassed).toBe(true),
    30_000,
  );
});

it('reports when the server accepts some connections of the API and refuses others', async () => {
  const redis = await startManagedRedis({
    connections: { limit: 1, error: 'ERR max number of clients reached' },
  });
  onTestFinished(() => redis.close());
  const api = await startApi(redis);
  onTestFinished(() => api.close());
  await vi.waitFor(async () =>
    expect((await api.call('GET', '/api/media/database/status')).body.storage.findings).toContainEqual(
      expect.objectContaining({ code: 'REDIS_CONNECTIONS' }),
    ),
  );
  await redis.configure({ connections: null });
  await vi.waitFor(
    async () =>
      expect(JSON.stringify((await api.call('GET', '/api/media/health')).body)).not.toContain(
        'REDIS_CONNECTIONS',
      ),
    30_000,
  );
});

it('logs what Redis said if it is unknown, and shows clients nothing of it', async () => {
  const redis = await startManagedRedis();
  onTestFinished(() => redis.close());
  const warned: string[] = [];
  const log: Logger = {
    ...silentLogger,
    child: () => log,
    warn: (event, fields) => void warned.push(`${event} ${inspect(fields)}`),
  };
  const api = await startApi(redis, {}, log);
  onTestFinished(() => api.close());
  await redis.configure({ quota: { left: 0, error: 'ERR ask the landlord' } });
  const answer = await api.call('GET', '/api/media');
  expect(answer).toMatchObject({ status: 503, body: { code: 'CATALOG_UNAVAILABLE' } });
  expect(JSON.stringify(answer.body)).not.toContain('landlord');
  expect(warned.filter((line) => line.startsWith('http.failed')).join()).toContain('ask the landlord');
  expect((await api.call('GET', '/api/media/health')).body.storage.findings[0]).toMatchObject({
    code: 'WRITES_REFUSED',
    message: 'Redis refuses commands: the reason is unknown. Uploads are refused.',
  });
});

it('polls ever more rarely for clients that follow a file or wait for an upload', async () => {
  const redis = await startManagedRedis();
  onTestFinished(() => redis.close());
  const api = await startApi(redis);
  onTestFinished(() => api.close());
  const { id } = await api.addMedia();
  const gone = new AbortController();
  onTestFinished(() => gone.abort());
  const events = await fetch(`${api.url}/api/media/${id}/events`, { signal: gone.signal });
  expect(events.status).toBe(200);
  const body = new FormData();
  body.set('file', new Blob([onePixelPng]), 'a.png');
  const headers = { Prefer: 'wait=60' };
  const waiting = fetch(`${api.url}/api/media/upload`, {
    method: 'POST',
    body,
    headers,
    signal: gone.signal,
  });
  waiting.catch(() => undefined);
  await vi.waitFor(async () => expect((await api.deps.catalog.counts()).byStatus['saving']).toBe(1));
  await redis.configure({ quota: { left: 0, error: quota } });
  // The third failure in a row of each is followed by a rest of four seconds.
  await vi.waitFor(() => expect(redis.refused()).toBeGreaterThan(5), { interval: 50 });
  redis.resetCounts();
  const until = performance.now() + 4_000;
  await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(until), { interval: 100 });
  expect(redis.commands()).toBeLessThan(10);
});
