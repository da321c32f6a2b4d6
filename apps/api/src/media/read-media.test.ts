import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aRecord, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
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

describe('the list', () => {
  it('pages through everything once, newest first', async () => {
    const own = await startApi(redis);
    const ids: string[] = [];
    for (let minute = 10; minute < 15; minute += 1) {
      const record = aRecord({ createdAt: `2026-01-01T00:${String(minute)}:00.000Z` });
      await own.deps.catalog.save(record);
      ids.unshift(record.id);
    }
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await own.call('GET', `/api/media?limit=2${cursor}`);
      expect(body.total).toBe(5);
      seen.push(...body.items.map((item: { id: string }) => item.id));
      cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`;
    } while (cursor !== '');
    expect(seen).toEqual(ids);
    const oldest = await own.call('GET', '/api/media?order=oldest&limit=1');
    expect(oldest.body.items[0].id).toBe(ids.at(-1));
    await own.close();
  });

  it('filters by each field', async () => {
    const own = await startApi(redis);
    const sha256 = 'EF'.repeat(32);
    const wanted = aRecord({
      resourceType: 'video',
      category: 'größe & co',
      tags: ['a b'],
      checksum: { sha256: sha256.toLowerCase(), md5: null },
    });
    await own.deps.catalog.saveMany([{ record: wanted }, { record: aRecord() }], null);
    for (const query of [
      { type: 'video' },
      { category: 'größe & co' },
      { tag: 'a b' },
      { sha256 },
      { type: 'video', tag: 'a b', status: 'saving' },
    ]) {
      const { body } = await own.call(
        'GET',
        `/api/media?${new URLSearchParams(query as Record<string, string>).toString()}`,
      );
      expect(body).toMatchObject({
        items: [{ id: wanted.id }],
        total: 1,
        nextCursor: null,
      });
    }
    expect((await own.call('GET', '/api/media?status=verified')).body.items).toEqual([]);
    await own.close();
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=ten', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['type=audio', 'type'],
    ['status=gone', 'status'],
    ['order=random', 'order'],
    ['sha256=abc', 'sha256'],
    ['category=', 'category'],
    [`tag=${'x'.repeat(300)}`, 'tag'],
    ['catgory=x', 'catgory'],
    ['__proto__=x', '__proto__'],
  ])('refuses ?%s', async (query, path) => {
    const { status, body } = await api.call('GET', `/api/media?${query}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'INVALID_REQUEST', errors: [{ path, message: expect.any(String) }] });
  });

  it('names the words that a filter may have', async () => {
    const { body } = await api.call('GET', '/api/media?type=audio');
    expect(body.errors).toEqual([{ path: 'type', message: 'must be one of image, video, raw' }]);
  });

  it.each(['x', '', 'MTIzLjQuNQ', '%00'])('refuses the cursor "%s"', async (cursor) => {
    const { body } = await api.call('GET', `/api/media?cursor=${cursor}`);
    expect(body).toMatchObject({ status: 400, code: 'INVALID_CURSOR' });
  });
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
