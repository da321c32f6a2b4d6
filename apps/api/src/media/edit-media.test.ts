import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { HoldfastError } from '@holdfast/foundation/errors';
import { readHostMetadata, recordFromAsset } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import { onePixelPng, proofOf, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
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

  it.each(['save', 'enqueueUpload'] as const)(
    'is refused where the catalog has fallen back behind the host, also when %s fails then',
    async (call) => {
      const { id } = await api.addMedia({ title: 'one' });
      const { catalog, queues, keys } = api.deps;
      const before = await catalog.find(id);
      if (before === null) throw new Error('no record');
      const path = `/api/media/${id}`;
      for (const title of ['two', 'three']) await api.call('PATCH', path, { title });
      await redis.client.del(`${keys.prefix}:m:${id}`);
      await catalog.save(before);
      onTestFinished(() => void vi.restoreAllMocks());
      const away = new HoldfastError('CATALOG_UNAVAILABLE');
      if (call === 'save') vi.spyOn(catalog, 'save').mockRejectedValue(away);
      else vi.spyOn(queues, 'enqueueUpload').mockRejectedValue(away);
      const refused = await api.call('PATCH', path, { category: 'new' });
      expect(refused.body).toMatchObject({ status: 503, code: 'CATALOG_REBUILDING' });
    },
  );

  it('is refused where the catalog has fallen back behind the host, and brings in what was lost', async () => {
    const { id, publicId } = await api.addMedia({ title: 'one' });
    const before = await api.deps.catalog.find(id);
    if (before === null) throw new Error('no record');
    const path = `/api/media/${id}`;
    for (const title of ['two', 'three']) await api.call('PATCH', path, { title });
    await redis.client.del(`${api.deps.keys.prefix}:m:${id}`);
    await api.deps.catalog.save(before);
    const refused = await api.call('PATCH', path, { category: 'new' });
    expect(refused.body).toMatchObject({ status: 503, code: 'CATALOG_REBUILDING' });
    const next = await api.call('PATCH', path, { description: 'new' });
    expect(next.body).toMatchObject({ title: 'three', description: 'new', category: 'nature', revision: 4 });
    const asset = await api.deps.host.find({ publicId, resourceType: 'image' });
    expect(asset && readHostMetadata(asset)?.fields).toMatchObject({
      title: 'three',
      description: 'new',
      category: 'nature',
      revision: 4,
    });
  });

  it('joins the revision that the host has under its number, where the catalog has fallen back behind it', async () => {
    const { id, publicId } = await api.addMedia({ title: 'one' });
    const before = await api.deps.catalog.find(id);
    if (before === null) throw new Error('no record');
    const path = `/api/media/${id}`;
    await api.call('PATCH', path, { title: 'two', description: 'kept' });
    await redis.client.del(`${api.deps.keys.prefix}:m:${id}`);
    await api.deps.catalog.save(before);

    const { status, body } = await api.call('PATCH', path, { title: 'three', category: 'new' });
    expect(status).toBe(200);
    const joined = { title: 'three', description: 'kept', category: 'new', revision: 3 };
    expect(body).toMatchObject(joined);
    const asset = await api.deps.host.find({ publicId, resourceType: 'image' });
    expect(asset && readHostMetadata(asset)?.fields).toMatchObject(joined);
  });

  it.each([
    [
      'has no mark of ours',
      {},
      { title: 'theirs', caption: 'x' },
      ['sea'],
      { title: 'theirs', tags: ['sea'] },
    ],
    ['has lost its mark', null, { title: 'theirs' }, [], { title: 'theirs', tags: ['old'] }],
  ])('keeps what was edited on the host of an asset that %s', async (_what, own, context, tags, kept) => {
    const { host, catalog } = api.deps;
    const ref = { publicId: `theirs-${String(Math.random())}`, resourceType: 'image' as const };
    const first = { context: { title: 'first', description: 'd', category: 'c' }, tags: ['old'] };
    const record = await (own === null
      ? api.addMedia({ title: 'first', description: 'd', category: 'c', tags: ['old'] })
      : adopted(await putForeign(ref, first)));
    // No notification has reported it yet.
    await host.annotate(record, { context: { description: 'd', category: 'c', ...context }, tags });
    const { status } = await api.call('PATCH', `/api/media/${record.id}`, { category: 'ours' });
    expect(status).toBe(200);
    const merged = { ...kept, description: 'd', category: 'ours' };
    expect(await catalog.find(record.id)).toMatchObject({ ...merged, revision: 3, pushedRevision: 3 });
    const asset = await host.find(record);
    expect(asset && readHostMetadata(asset)?.fields).toMatchObject({ ...merged, revision: 3 });

    async function putForeign(to: typeof ref, metadata: typeof first) {
      const signal = AbortSignal.timeout(5_000);
      return (await host.put({ ref: to, metadata, body: onePixelPng, signal })).asset;
    }
    async function adopted(found: HostAsset) {
      const fresh = recordFromAsset(found, 'holdfast', 'sync');
      await catalog.save(fresh);
      await catalog.markVerified('fsynced', new Date(), [proofOf(fresh)]);
      return fresh;
    }
  });

  it('that changes nothing makes no revision', async () => {
    const { id, updatedAt } = await api.addMedia({ title: 'same' });
    const { status, body } = await api.call('PATCH', `/api/media/${id}`, { title: 'same' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ revision: 1, status: 'verified', updatedAt });
  });

  it('needs the content that the client has seen, of media that change on the host without a revision', async () => {
    const { id } = await api.addMedia({ title: 'one' });
    const path = `/api/media/${id}`;
    const tag = (await api.call('GET', path)).headers.get('etag') ?? '';
    const record = await api.deps.catalog.find(id);
    if (record === null) throw new Error('no record');
    // As a sync merges an edit of an asset that carries no record of ours.
    await redis.client.del(`${api.deps.keys.prefix}:m:${id}`);
    await api.deps.catalog.save({ ...record, title: 'two' });
    for (const [method, body] of [
      ['PATCH', { title: 'three' }],
      ['DELETE', undefined],
    ] as const) {
      const refused = await api.call(method, path, body, { 'If-Match': tag });
      expect(refused.body).toMatchObject({ status: 412, code: 'REVISION_MISMATCH' });
    }
    const now = (await api.call('GET', path)).headers.get('etag') ?? '';
    expect((await api.call('PATCH', path, { title: 'three' }, { 'If-Match': now })).status).toBe(200);
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
    expect(
      (await api.call('PATCH', '/api/media/01K00000000000000000000000', { title: 'x' }, { 'If-Match': '*' }))
        .status,
    ).toBe(404);
  });

  it('continues in the background when the host does not accept it', async () => {
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

  it('is not done when it is repeated before the host has it', async () => {
    const own = await startApi(redis, { CLOUDINARY_URL: cloudinary.cloudinaryUrl });
    onTestFinished(() => own.close());
    const { id, publicId } = await own.addMedia();
    const fault = { kind: 'error', status: 500, match: { endpoint: 'explicit' }, count: null } as const;
    await cloudinary.faults.add(fault);
    const edit = async (): Promise<number> =>
      (await own.call('PATCH', `/api/media/${id}`, { title: 'told twice' })).status;
    expect([await edit(), await edit()]).toEqual([202, 202]);
    await cloudinary.faults.clear();
    expect(await edit()).toBe(200);
    const asset = await own.deps.host.find({ publicId, resourceType: 'image' });
    expect(asset?.context).toMatchObject({ title: 'told twice' });
    expect((await own.call('GET', `/api/media/${id}`)).body.revision).toBe(2);
  });

  it('is refused for media that are going or gone from the host', async () => {
    const { id } = await api.addMedia();
    await api.deps.catalog.markMissing([id], null);
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
    ['a title that is not a text', { title: 7 }, 'title'],
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

  it('accepts fields of the maximum length, in characters rather than bytes', async () => {
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
    ['application/json', Buffer.from('{"title":"caf\xe9"}', 'latin1'), 400, 'MALFORMED_BODY'],
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
