import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { readHostMetadata } from '@holdfast/shared/media';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
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

describe('an edit that others meet', () => {
  it('keeps the name and the address that came into the record right before it', async () => {
    const { id } = await api.addMedia({ title: 'one' });
    const { catalog } = api.deps;
    const place = { publicId: 'elsewhere/a', url: 'http://127.0.0.1/elsewhere/a.png' };
    const read = await catalog.find(id);
    if (read === null) throw new Error('no record');
    const saveIf = catalog.saveIf;
    vi.spyOn(catalog, 'saveIf').mockImplementationOnce(async (...of) => {
      // As a refresh follows an asset that was renamed, without a revision.
      expect(await saveIf({ ...read, ...place }, read)).toBe('updated');
      return saveIf(...of);
    });
    onTestFinished(() => void vi.restoreAllMocks());
    await api.call('PATCH', `/api/media/${id}`, { title: 'two' });
    expect(await catalog.find(id)).toMatchObject({ title: 'two', revision: 2, ...place });
  });

  it('insists on what the client has seen up to the moment when it is saved', async () => {
    const { id } = await api.addMedia({ title: 'one' });
    const path = `/api/media/${id}`;
    const tag = (await api.call('GET', path)).headers.get('etag') ?? '';
    const { catalog } = api.deps;
    const read = await catalog.find(id);
    if (read === null) throw new Error('no record');
    const { saveIf, beginDelete } = catalog;
    vi.spyOn(catalog, 'saveIf').mockImplementationOnce(async (...of) => {
      expect(await saveIf({ ...read, title: 'of the host' }, read)).toBe('updated');
      return saveIf(...of);
    });
    onTestFinished(() => void vi.restoreAllMocks());
    const edited = await api.call('PATCH', path, { category: 'new' }, { 'If-Match': tag });
    expect(edited.body).toMatchObject({ status: 412, code: 'REVISION_MISMATCH' });
    const next = (await api.call('GET', path)).headers.get('etag') ?? '';
    vi.spyOn(catalog, 'beginDelete').mockImplementationOnce(async (...of) => {
      const latest = await catalog.find(id);
      if (latest !== null) await saveIf({ ...latest, title: 'of the host again' }, latest);
      return beginDelete(...of);
    });
    const removed = await api.call('DELETE', path, undefined, { 'If-Match': next });
    expect(removed.body).toMatchObject({ status: 412, code: 'REVISION_MISMATCH' });
    expect(await catalog.find(id)).toMatchObject({ title: 'of the host again', category: 'nature' });
  });

  it('is refused where the host loses the asset right before it', async () => {
    const { id } = await api.addMedia();
    const { catalog } = api.deps;
    const saveIf = catalog.saveIf;
    vi.spyOn(catalog, 'saveIf').mockImplementationOnce(async (...of) => {
      await catalog.markMissing([id], null);
      return saveIf(...of);
    });
    onTestFinished(() => void vi.restoreAllMocks());
    const { body } = await api.call('PATCH', `/api/media/${id}`, { title: 'two' });
    expect(body).toMatchObject({ status: 409, code: 'MEDIA_UNSETTLED' });
    expect(await catalog.find(id)).toMatchObject({ status: 'missing', revision: 1 });
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

  it('is done when another one, made over it, has carried it to the host first', async () => {
    const { id, publicId } = await api.addMedia({ title: 'one' });
    const path = `/api/media/${id}`;
    const tag = (await api.call('GET', path)).headers.get('etag') ?? '';
    const find = vi.spyOn(api.deps.host, 'find');
    let other: Awaited<ReturnType<RunningApi['call']>> | undefined;
    find.mockImplementationOnce(async (...of) => {
      other = await api.call('PATCH', path, { category: 'other' });
      return api.deps.host.find(...of);
    });
    onTestFinished(() => find.mockRestore());
    const { status, body } = await api.call('PATCH', path, { title: 'two' }, { 'If-Match': tag });
    expect(other?.status).toBe(200);
    expect(status).toBe(200);
    expect(body).toMatchObject({ title: 'two', category: 'other', revision: 3 });
    const asset = await api.deps.host.find({ publicId, resourceType: 'image' });
    expect(asset && readHostMetadata(asset)?.fields).toMatchObject({
      title: 'two',
      category: 'other',
      revision: 3,
    });
  });

  it('is not done where Redis is emptied between its two halves', async () => {
    const own = await startApi(redis, { CLOUDINARY_URL: cloudinary.cloudinaryUrl });
    onTestFinished(() => own.close());
    const { id } = await own.addMedia();
    const { catalog } = own.deps;
    // The look of the push.
    const findStored = vi.spyOn(catalog, 'findStored').mockResolvedValueOnce([null]);
    onTestFinished(() => findStored.mockRestore());
    expect((await own.call('PATCH', `/api/media/${id}`, { title: 'cut off' })).status).toBe(202);
  });
});
