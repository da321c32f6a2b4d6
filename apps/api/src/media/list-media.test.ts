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
