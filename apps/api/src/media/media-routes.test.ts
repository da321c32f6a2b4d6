import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

let redis: RedisSandbox;
let api: RunningApi;

beforeAll(async () => {
  redis = await startRedisSandbox();
  api = await startApi(redis);
});

afterAll(async () => {
  await api.close();
  await redis.close();
});

const nowhere = '/api/media/01K00000000000000000000000';

describe('one record', () => {
  it('has the fields of the contract, in its order, and an address that works', async () => {
    const { id } = await api.addMedia();
    const { status, body } = await api.call('GET', `/api/media/${id}`);
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(
      (
        'id status publicId assetId resourceType format bytes width height durationSeconds url checksum filename ' +
        'title description category tags uploadedBy source createdAt updatedAt revision persistence lastError'
      ).split(' '),
    );
    expect(body).toMatchObject({ id, status: 'verified', persistence: { level: 'fsynced', attempts: 1 } });
    expect(body.url).toMatch(new RegExp(`^${api.url}/media/image/`));
    expect((await fetch(body.url)).status).toBe(200);
  });

  it('is not sent again to a client that has it, until something changes', async () => {
    const { id } = await api.addMedia();
    const path = `/api/media/${id}`;
    const tag = (await api.call('GET', path)).headers.get('etag') ?? '';
    expect(tag).toMatch(/^"1-/);
    expect((await api.call('GET', path, undefined, { 'If-None-Match': `"x", W/${tag}` })).status).toBe(304);
    await api.deps.catalog.markMissing([id], null);
    const changed = await api.call('GET', path, undefined, { 'If-None-Match': tag });
    expect(changed.status).toBe(200);
    expect(changed.headers.get('etag')).not.toBe(tag);
  });

  it.each(['01K00000000000000000000000', 'x', '../health', 'cld-', '9'.repeat(26), 'a%00b', 'a%2Fb'])(
    'is not found under %s',
    async (id) => {
      for (const method of ['GET', 'DELETE'])
        expect((await api.call(method, `/api/media/${id}`)).body).toMatchObject({
          code: expect.stringMatching(/NOT_FOUND$/),
        });
    },
  );

  it('may come back while the catalog is being refilled', async () => {
    const own = await startApi(redis);
    const run = { runId: 'x', trigger: 'recovery', created: 1, findings: [] };
    await redis.client.set(own.deps.keys.syncRun, JSON.stringify({ run, progress: {} }));
    const { status, headers, body } = await own.call('GET', nowhere);
    expect({ status, code: body.code, retry: headers.get('retry-after') }).toEqual({
      status: 503,
      code: 'CATALOG_REBUILDING',
      retry: '5',
    });
    expect((await own.call('GET', '/api/media')).body).toMatchObject({ items: [], rebuilding: true });
    await own.close();
  });
});

describe('while Redis is away', () => {
  it.each(['down', 'paused'])('%s: reads and writes get 503 within a second', async (how) => {
    const sandbox = await startRedisSandbox();
    const own = await startApi(sandbox);
    const { id } = await own.addMedia();
    if (how === 'down') await sandbox.kill();
    else sandbox.pause();
    for (const [method, path, body] of [
      ['GET', '/api/media'],
      ['GET', `/api/media/${id}`],
      ['PATCH', `/api/media/${id}`, { title: randomUUID() }],
      ['DELETE', `/api/media/${id}`],
    ] as const) {
      const start = performance.now();
      const answer = await own.call(method, path, body);
      expect(answer.body).toMatchObject({ status: 503, code: 'CATALOG_UNAVAILABLE' });
      expect(answer.headers.get('retry-after')).not.toBeNull();
      expect(performance.now() - start).toBeLessThan(1_500);
    }
    if (how === 'paused') sandbox.resume();
    await own.close();
    await sandbox.close();
  });
});
