import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { aRecord, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

let redis: RedisSandbox;
let api: RunningApi;

beforeAll(async () => {
  redis = await startRedisSandbox();
  api = await startApi(redis, { API_KEYS: 'boss:admin:b-secret,w:write:w-secret' });
});

afterAll(async () => {
  await api.close();
  await redis.close();
});

const boss = { Authorization: `Basic ${Buffer.from('boss:b-secret').toString('base64')}` };

it('shows its page, with scripts and styles that load', async () => {
  const { status, body, headers } = await api.call('GET', '/admin/queues', undefined, boss);
  expect(status).toBe(200);
  expect(headers.get('content-type')).toMatch(/text\/html/);
  expect(headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'; ");
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('x-powered-by')).toBeNull();
  const assets = [...String(body).matchAll(/(?:src|href)="(\/?[^"]*static[^"]*)"/g)].map(
    (match) => match[1] ?? '',
  );
  expect(assets.length).toBeGreaterThan(1);
  for (const asset of assets) {
    const path = new URL(asset, `${api.url}/admin/queues/`).pathname;
    const part = await api.call('GET', path, undefined, boss);
    expect(part.status).toBe(200);
    expect(part.headers.get('cache-control')).toBe('public, max-age=0');
    expect((await api.call('GET', path)).status).toBe(401);
  }
});

it('asks no other site for anything', async () => {
  const { body } = await api.call('GET', '/admin/queues', undefined, boss);
  expect(body).toContain('<link');
  expect(String(body).match(/\b(?:src|href)="(?:https?:)?\/\/[^"]*"/g)).toBeNull();
});

it('shows the three queues and their jobs', async () => {
  const record = aRecord();
  await api.deps.queues.enqueueUpload(record);
  const { body, headers } = await api.call(
    'GET',
    '/admin/queues/api/queues?activeQueue=save&status=latest&page=1',
    undefined,
    boss,
  );
  expect(headers.get('cache-control')).toBe('no-store');
  expect(body.queues.map(({ name }: { name: string }) => name)).toEqual(['save', 'verify', 'sync']);
  expect(JSON.stringify(body)).toContain(`save-${record.id}-1`);
});

it.each(['100000', '1e5'])('shows at most 100 jobs a page, though %s are asked for', async (count) => {
  const records = Array.from({ length: 120 }, () => aRecord());
  await Promise.all(records.map((record) => api.deps.queues.enqueueUpload(record)));
  const pages = '/admin/queues/api/queues?activeQueue=save&status=waiting&page=1&jobsPerPage=';
  const { status, body } = await api.call('GET', `${pages}${count}`, undefined, boss);
  expect(status).toBe(200);
  const [save] = body.queues as { jobs: unknown[]; pagination: { pageCount: number } }[];
  expect(save?.jobs).toHaveLength(100);
  expect(save?.pagination.pageCount).toBeGreaterThan(1);
});

it('is for administrators only', async () => {
  const writer = { Authorization: `Basic ${Buffer.from('w:w-secret').toString('base64')}` };
  expect((await api.call('GET', '/admin/queues/api/queues', undefined, writer)).body).toMatchObject({
    code: 'FORBIDDEN',
  });
});

it.each([
  ['away', async (sandbox: RedisSandbox) => sandbox.kill()],
  ['silent', async (sandbox: RedisSandbox) => Promise.resolve(sandbox.pause())],
])('answers as every route does where Redis is %s', async (_what, lose) => {
  const sandbox = await startRedisSandbox();
  onTestFinished(() => sandbox.close());
  const own = await startApi(sandbox);
  onTestFinished(() => own.close());
  await lose(sandbox);
  const { status, body, headers } = await own.call('GET', '/admin/queues/api/queues');
  expect(status).toBe(503);
  expect(headers.get('content-type')).toContain('application/problem+json');
  expect(headers.get('retry-after')).toBe('2');
  expect(body).toMatchObject({ code: 'QUEUE_UNAVAILABLE', requestId: expect.any(String) as string });
  sandbox.resume();
});

it('answers that a request cannot be read', async () => {
  const answer = await api.request('/admin/queues/api/queues/save/pause', {
    method: 'PUT',
    headers: { ...boss, 'Content-Type': 'application/json' },
    body: '{"half":',
  });
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ code: 'MALFORMED_BODY' });
});
