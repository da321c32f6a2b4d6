import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { aPng, upload } from '../../test/support/api-pair.js';
import { createAnswerCheck, type AnswerCheck } from '../../test/support/check-answer.js';
import { startApi, type RunningApi } from '../../test/support/running-api.js';
import type { OpenApiDocument } from './document.js';

let redis: RedisSandbox;
let api: RunningApi;
let check: AnswerCheck;

beforeEach(async () => {
  redis = await startRedisSandbox();
  api = await startApi(redis, { UPLOAD_MAX_BYTES: '10000' });
  check = createAnswerCheck((await api.call('GET', '/openapi.json')).body as OpenApiDocument);
});

afterEach(async () => {
  await api.close();
  await redis.close();
});

async function checked(method: string, path: string, body?: unknown, headers = {}): Promise<number> {
  const answer = await api.call(method, path, body, headers);
  const type = answer.headers.get('content-type');
  expect(check({ method, path, status: answer.status, type, body: answer.body })).toBeNull();
  return answer.status;
}

it('is what uploads, lists, records and edits really answer', async () => {
  const data = aPng(2_000);
  const sent = await upload(api, data, { fields: { title: 't', tags: 'a,b' } });
  const again = await upload(api, data, { query: '?duplicates=return' });
  for (const { status, headers, body } of [
    sent,
    again,
    await upload(api, aPng(), { headers: { Prefer: 'wait=1' } }),
    await upload(api, aPng(20_000)),
    await upload(api, Buffer.from('text')),
  ]) {
    const type = headers.get('content-type');
    expect(check({ method: 'POST', path: '/api/media/upload', status, type, body })).toBeNull();
  }
  const { id } = sent.body.media;
  expect(await checked('GET', '/api/media')).toBe(200);
  expect(await checked('GET', '/api/media?limit=0')).toBe(400);
  expect(await checked('GET', `/api/media/${id}`)).toBe(200);
  expect(await checked('GET', '/api/media/01K00000000000000000000000')).toBe(404);
  expect(await checked('PATCH', `/api/media/${id}`, { title: 'new' })).toBe(200);
  expect(await checked('PATCH', `/api/media/${id}`, { wrong: 1 })).toBe(400);
  expect(await checked('PATCH', `/api/media/${id}`, { title: 'x' }, { 'If-Match': '"1"' })).toBe(412);
  expect(await checked('DELETE', `/api/media/${id}`)).toBe(202);
});

it('is what the status answers really are', async () => {
  for (const path of ['/livez', '/readyz', '/metrics', '/openapi.json'])
    expect(await checked('GET', path)).toBe(200);
  expect(await checked('GET', '/api/media/health')).toBe(200);
  expect(await checked('GET', '/api/media/database/status')).toBe(200);
  expect(await checked('GET', '/api/media/sync/status')).toBe(200);
  expect(await checked('GET', '/api/media/sync/drift')).toBe(200);
  expect(await checked('POST', '/api/media/sync-cloudinary')).toBe(202);
  expect(await checked('PUT', '/api/media')).toBe(405);
  expect(await checked('GET', '/nothing')).toBe(404);
});

it('is also what they are while Redis is away', async () => {
  await redis.kill();
  expect(await checked('GET', '/api/media/health')).toBe(503);
  expect(await checked('GET', '/api/media/database/status')).toBe(200);
  await vi.waitFor(async () => expect(await checked('GET', '/readyz')).toBe(503));
  expect(await checked('GET', '/api/media')).toBe(503);
});

it('knows a wrong answer from a right one', () => {
  const type = 'application/json';
  const answer = (status: number, body: unknown) =>
    check({ method: 'GET', path: '/livez', status, type, body });
  expect(answer(200, { status: 'ok' })).toBeNull();
  expect(answer(200, {})).toContain("must have required property 'status'");
  expect(answer(200, { status: 'ok', more: 1 })).toContain('must NOT have additional properties');
  expect(answer(418, { status: 'ok' })).toContain('is not described');
  const problem = { type: 't', title: 't', status: 409, detail: 'd', requestId: 'r', code: 'MEDIA_DELETING' };
  const refused = { method: 'GET', path: '/api/media', status: 400, type: 'application/problem+json' };
  expect(check({ ...refused, body: { ...problem, code: 'INVALID_CURSOR' } })).toBeNull();
  expect(check({ ...refused, body: problem })).toContain('must be equal to one of the allowed values');
});
