import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { readHostMetadata } from '@holdfast/shared/media';
import { aRecord, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

let redis: RedisSandbox;
let api: RunningApi;
let cloudinary: CloudinaryEmulator;

beforeAll(async () => {
  redis = await startRedisSandbox();
  api = await startApi(redis);
  cloudinary = await startCloudinaryEmulator();
});

afterAll(async () => {
  await api.close();
  await cloudinary.close();
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
    await api.deps.catalog.markMissing([id]);
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
    const run = { runId: 'x', trigger: 'recovery', findings: [] };
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
    await own.deps.catalog.saveMany([{ record: wanted }, { record: aRecord() }]);
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

  it.each(['x', '', 'MTIzLjQuNQ', '%00'])('refuses the cursor "%s"', async (cursor) => {
    const { body } = await api.call('GET', `/api/media?cursor=${cursor}`);
    expect(body).toMatchObject({ status: 400, code: 'INVALID_CURSOR' });
  });
});

describe('an edit', () => {
  it('is in the catalog and on the host, and queued to be verified', async () => {
    const { id, publicId } = await api.addMedia();
    const title = 'Größe "1" | = 🌊';
    const { status, body, headers } = await api.call('PATCH', `/api/media/${id}`, {
      title: `  ${title} `,
      description: ' two\n lines ',
      category: null,
      tags: ['a', ' b', 'a'],
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      title,
      description: ' two\n lines ',
      category: '',
      tags: ['a', 'b'],
      revision: 2,
      status: 'saving',
    });
    expect(body.updatedAt > body.createdAt).toBe(true);
    expect(headers.get('etag')).toBe((await api.call('GET', `/api/media/${id}`)).headers.get('etag'));
    const asset = await api.deps.host.find({ publicId, resourceType: 'image' });
    expect(asset && readHostMetadata(asset)?.fields).toMatchObject({
      revision: 2,
      title,
      category: '',
      tags: ['a', 'b'],
      filename: 'a.png',
    });
    expect((await api.deps.catalog.find(id))?.pushedRevision).toBe(2);
    expect(await redis.client.hget(api.deps.keys.intent(id), 'state')).toBe('settled');
    expect(await api.deps.queues.queues.save.getJob(`save-${id}-2`)).toBeDefined();
    expect(await api.deps.queues.queues.verify.getJob(`verify-${id}-2`)).toBeDefined();
  });

  it('that changes nothing makes no revision', async () => {
    const { id, updatedAt } = await api.addMedia({ title: 'same' });
    const { status, body } = await api.call('PATCH', `/api/media/${id}`, { title: 'same' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ revision: 1, status: 'verified', updatedAt });
  });

  it('needs the revision that the client has seen, whatever its status is by now', async () => {
    const { id } = await api.addMedia();
    const path = `/api/media/${id}`;
    const tag = (await api.call('GET', path)).headers.get('etag') ?? '';
    const edit = (title: string, match: string) => api.call('PATCH', path, { title }, { 'If-Match': match });
    expect((await edit('one', tag)).status).toBe(200);
    expect((await edit('two', tag)).body).toMatchObject({ status: 412, code: 'REVISION_MISMATCH' });
    expect((await edit('two', 'nonsense')).status).toBe(412);
    expect((await edit('two', 'W/"2-x"')).status).toBe(412);
    expect((await edit('two', '"7", "2-old"')).status).toBe(200);
    expect((await edit('three', '*')).status).toBe(200);
    expect((await api.call('PATCH', nowhere, { title: 'x' }, { 'If-Match': '*' })).status).toBe(404);
  });

  it('is not lost when several come at once', async () => {
    const { id, publicId } = await api.addMedia();
    const edits = await Promise.all(
      ['title', 'description', 'category'].map((field) =>
        api.call('PATCH', `/api/media/${id}`, { [field]: field }),
      ),
    );
    expect(edits.map(({ status }) => status)).toEqual([200, 200, 200]);
    const merged = { title: 'title', description: 'description', category: 'category', revision: 4 };
    expect((await api.call('GET', `/api/media/${id}`)).body).toMatchObject(merged);
    const asset = await api.deps.host.find({ publicId, resourceType: 'image' });
    expect(asset && readHostMetadata(asset)?.fields).toMatchObject(merged);
  });

  it('gets its turn in a crowd', async () => {
    const { id } = await api.addMedia();
    const titles = Array.from({ length: 40 }, (_, index) => `title ${String(index)}`);
    const edits = await Promise.all(titles.map((title) => api.call('PATCH', `/api/media/${id}`, { title })));
    expect(edits.filter(({ status }) => status !== 200)).toEqual([]);
    expect((await api.call('GET', `/api/media/${id}`)).body.revision).toBe(41);
  });

  it('goes on in the background when the host does not take it', async () => {
    const own = await startApi(redis, { CLOUDINARY_URL: cloudinary.cloudinaryUrl });
    const { id } = await own.addMedia();
    await cloudinary.faults.add({
      kind: 'silence',
      ms: 20_000,
      match: { endpoint: 'explicit' },
      count: null,
    });
    const start = performance.now();
    const { status, body } = await own.call('PATCH', `/api/media/${id}`, { title: 'later' });
    expect(performance.now() - start).toBeLessThan(4_000);
    await cloudinary.faults.clear();
    expect({ status, title: body.title }).toEqual({ status: 202, title: 'later' });
    expect((await own.deps.queues.queues.save.getJob(`push-${id}-2`))?.data).toMatchObject({
      id,
      revision: 2,
    });
    expect(await redis.client.zscore(own.deps.keys.unpushed, id)).not.toBeNull();
    await own.close();
  });

  it('is refused for media that are going or gone from the host', async () => {
    const { id } = await api.addMedia();
    await api.deps.catalog.markMissing([id]);
    expect((await api.call('PATCH', `/api/media/${id}`, { title: 'x' })).body).toMatchObject({
      status: 409,
      code: 'MEDIA_UNSETTLED',
    });
    await api.deps.catalog.beginDelete(id);
    expect((await api.call('PATCH', `/api/media/${id}`, { title: 'x' })).body).toMatchObject({
      status: 409,
      code: 'MEDIA_DELETING',
    });
  });

  it.each([
    ['nothing at all', {}, ''],
    ['a list', [], ''],
    ['an unknown field', { titel: 'x' }, 'titel'],
    ['a field that is not editable', { id: 'x' }, 'id'],
    ['a title that is no text', { title: 7 }, 'title'],
    ['a title that is too long', { title: 'x'.repeat(501) }, 'title'],
    ['a description that is too long', { description: '🌊'.repeat(5_001) }, 'description'],
    ['a category that is too long', { category: 'x'.repeat(101) }, 'category'],
    ['tags as one text', { tags: 'a,b' }, 'tags'],
    ['a tag with a comma', { tags: ['a', 'b,c'] }, 'tags.1'],
    ['an empty tag', { tags: [' '] }, 'tags.0'],
    ['a tag that is too long', { tags: ['x'.repeat(101)] }, 'tags.0'],
    ['too many tags', { tags: Array.from({ length: 51 }, (_, n) => String(n)) }, 'tags'],
    ['half a character', { title: 'a\ud800' }, 'title'],
    ['a NUL', { title: 'a\0' }, 'title'],
  ])('refuses %s', async (_name, body, path) => {
    const { id } = await api.addMedia();
    const refused = await api.call('PATCH', `/api/media/${id}`, body);
    expect(refused.body).toMatchObject({ status: 400, code: 'INVALID_REQUEST', errors: [{ path }] });
    expect((await api.deps.catalog.find(id))?.revision).toBe(1);
  });

  it('takes fields as long as they may be, in characters rather than bytes', async () => {
    const { id } = await api.addMedia();
    const wave = (count: number) => '🌊'.repeat(count);
    const body = {
      title: wave(500),
      description: wave(5_000),
      category: wave(100),
      tags: Array.from({ length: 50 }, (_, n) => `${String(n).padStart(2, '0')}${wave(98)}`),
    };
    const { status, body: media } = await api.call('PATCH', `/api/media/${id}`, body);
    expect(status).toBe(200);
    expect(media).toMatchObject(body);
  });

  it.each([
    ['text/plain', '{}', 415, 'UNSUPPORTED_BODY'],
    ['application/json', '{"title":', 400, 'MALFORMED_BODY'],
    ['application/json', '"x"', 400, 'MALFORMED_BODY'],
    ['application/json; charset=latin1', '{}', 415, 'UNSUPPORTED_BODY'],
    ['application/json', JSON.stringify({ title: 'x'.repeat(300_000) }), 413, 'BODY_TOO_LARGE'],
    ['application/json', '', 400, 'INVALID_REQUEST'],
    ['application/merge-patch+json', '{"title":"merged"}', 200, undefined],
  ])('with a body of type %s: %.20s', async (type, body, status, code) => {
    const { id } = await api.addMedia();
    const response = await api.request(`/api/media/${id}`, {
      method: 'PATCH',
      body,
      headers: { 'Content-Type': type },
    });
    expect(response.status).toBe(status);
    expect(((await response.json()) as { code?: string }).code).toBe(code);
  });
});

describe('a delete', () => {
  it('is final: gone from the host, from the catalog, and never back', async () => {
    const record = await api.addMedia();
    const { id, publicId } = record;
    const deleted = await api.call('DELETE', `/api/media/${id}`);
    expect(deleted.status).toBe(202);
    expect(deleted.body).toMatchObject({
      media: { id, status: 'deleting' },
      links: { self: `/api/media/${id}` },
    });
    expect(await api.deps.host.find({ publicId, resourceType: 'image' })).toBeNull();
    expect((await api.call('GET', `/api/media/${id}`)).status).toBe(404);
    expect((await api.call('DELETE', `/api/media/${id}`)).body).toMatchObject({
      status: 404,
      code: 'MEDIA_NOT_FOUND',
    });
    expect(await api.deps.catalog.save(record)).toBe('tombstoned');
  });

  it('stays deleting until the host confirms, and a job goes on', async () => {
    const own = await startApi(redis, { CLOUDINARY_URL: cloudinary.cloudinaryUrl });
    const { id, publicId } = await own.addMedia();
    await cloudinary.faults.add({ kind: 'error', match: { endpoint: 'destroy' }, count: null });
    expect((await own.call('DELETE', `/api/media/${id}`)).status).toBe(202);
    expect((await own.call('GET', `/api/media/${id}`)).body.status).toBe('deleting');
    expect((await own.deps.queues.queues.save.getJob(`remove-${id}`))?.data).toMatchObject({ id, publicId });
    await cloudinary.faults.clear();
    expect((await own.call('DELETE', `/api/media/${id}`)).status).toBe(202);
    expect(await cloudinary.assets.get('image', publicId)).toBeNull();
    expect((await own.call('GET', `/api/media/${id}`)).status).toBe(404);
    await own.close();
  });

  it('leaves an asset alone that has taken the name of the one that was meant', async () => {
    const own = await startApi(redis, { CLOUDINARY_URL: cloudinary.cloudinaryUrl });
    const [doomed, other] = [await own.addMedia(), await own.addMedia()];
    await cloudinary.assets.rename(doomed.assetId, 'elsewhere');
    await cloudinary.assets.rename(other.assetId, doomed.publicId);
    expect((await own.call('DELETE', `/api/media/${doomed.id}`)).status).toBe(202);
    expect(await cloudinary.assets.byAssetId(other.assetId)).not.toBeNull();
    expect((await own.call('GET', `/api/media/${doomed.id}`)).status).toBe(404);
    await own.close();
  });

  it('needs the revision that the client has seen', async () => {
    const { id } = await api.addMedia();
    const remove = (match: string) =>
      api.call('DELETE', `/api/media/${id}`, undefined, { 'If-Match': match });
    expect((await remove('"2-x"')).body).toMatchObject({ status: 412, code: 'REVISION_MISMATCH' });
    expect((await api.call('GET', `/api/media/${id}`)).body.status).toBe('verified');
    expect((await remove('"1-x"')).status).toBe(202);
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
      expect(performance.now() - start).toBeLessThan(1_000);
    }
    if (how === 'paused') sandbox.resume();
    await own.close();
    await sandbox.close();
  });
});
