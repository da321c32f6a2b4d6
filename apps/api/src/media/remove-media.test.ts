import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { HoldfastError } from '@holdfast/foundation/errors';
import { decodeDeletions, deletionFiles, snapshotPrefix } from '@holdfast/shared/snapshot';
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

async function notedDeletions({ deps: { host } }: RunningApi): Promise<string[]> {
  const files = deletionFiles('holdfast', await host.listFiles(snapshotPrefix('holdfast')));
  const bodies = await Promise.all(files.map(({ file }) => host.readFile(file.name)));
  return bodies.flatMap((body) => decodeDeletions(body ?? Buffer.alloc(0)));
}

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
    // Else a snapshot that is older would bring it back when Redis is wiped.
    expect(await notedDeletions(api)).toContain(id);
    expect((await api.call('GET', `/api/media/${id}`)).status).toBe(404);
    expect((await api.call('DELETE', `/api/media/${id}`)).body).toMatchObject({
      status: 404,
      code: 'MEDIA_NOT_FOUND',
    });
    expect(await api.deps.catalog.save(record)).toBe('tombstoned');
  });

  it('is on the disk of Redis before the host is called', async () => {
    const own = await startApi(redis);
    const { id, publicId } = await own.addMedia();
    const { barrier, host } = own.deps;
    const steps: string[] = [];
    const confirm = barrier.confirm.bind(barrier);
    const [remove, putFile] = [host.remove.bind(host), host.putFile.bind(host)];
    barrier.confirm = async () => {
      const record = await own.deps.catalog.find(id);
      // A slow disk: slow enough for the host to be called too early.
      await redis.client.client('PAUSE', 100, 'WRITE');
      const level = await confirm();
      steps.push(`${record?.status ?? 'gone'}, ${level}`);
      return level;
    };
    host.putFile = (name, body, ...of) => {
      steps.push(decodeDeletions(body).includes(id) ? 'noted' : name);
      return putFile(name, body, ...of);
    };
    host.remove = (ref, ...of) => {
      steps.push(ref.publicId === publicId ? 'removed' : ref.publicId);
      return remove(ref, ...of);
    };
    expect((await own.call('DELETE', `/api/media/${id}`)).status).toBe(202);
    expect(steps).toEqual(['deleting, fsynced', 'noted', 'removed']);
    await own.close();
  });

  it('removes what is left of an asset that others have damaged', async () => {
    const { id, assetId } = await api.addMedia();
    const directory = join(api.deps.settings.dataDir, 'media');
    const filesOf = async (): Promise<string[]> =>
      (await readdir(directory, { recursive: true })).filter((name) => name.includes(assetId));
    const identity = (await filesOf()).find((name) => name.endsWith('.json')) ?? '';
    await writeFile(join(directory, identity), '{"token":');
    expect((await api.call('DELETE', `/api/media/${id}`)).status).toBe(202);
    expect((await api.call('GET', `/api/media/${id}`)).status).toBe(404);
    expect(await filesOf()).toEqual([]);
  });

  it('stays deleting until the host confirms, and a job continues', async () => {
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

  it.each(['gone', 'there again'])(
    'continues where Redis was emptied before the host confirmed, and the record is %s',
    async (state) => {
      const own = await startApi(redis, { CLOUDINARY_URL: cloudinary.cloudinaryUrl });
      const record = await own.addMedia();
      own.deps.host.find = async () => {
        await redis.client.flushall();
        if (state === 'there again') await own.deps.catalog.save(record);
        throw new HoldfastError('HOST_TIMEOUT');
      };
      expect((await own.call('DELETE', `/api/media/${record.id}`)).status).toBe(202);
      // Without it the job does nothing.
      expect(await own.deps.catalog.isTombstoned(record.id)).toBe(true);
      expect(await own.deps.queues.queues.save.getJob(`remove-${record.id}`)).toBeDefined();
      await own.close();
    },
  );

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
