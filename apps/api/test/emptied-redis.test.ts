import { expect, it, onTestFinished, vi } from 'vitest';
import { startRedisSandbox } from '@holdfast/shared/testing';
import { aPng, startApiPair, upload } from './support/api-pair.js';
import { startApi } from './support/running-api.js';

const nowhere = '/api/media/01K00000000000000000000000';

it.each(['local', 'cloudinary'] as const)(
  'an API that starts on an emptied Redis does not say that media are gone, with no worker there (%s)',
  async (kind) => {
    const redis = await startRedisSandbox();
    onTestFinished(() => redis.close());
    const pair = await startApiPair(redis, kind);
    const data = aPng();
    // New, and stays so for these processes whatever is uploaded.
    expect((await pair.a.call('GET', nowhere)).status).toBe(404);
    const { body } = await upload(pair.a, data, { key: 'k' });
    const path = `/api/media/${String(body.media.id)}`;
    expect((await pair.a.call('GET', nowhere)).status).toBe(404);
    expect((await upload(pair.b, aPng(), { key: 'other' })).status).toBe(202);
    await redis.client.flushall();
    const restarted = await startApi(redis, {
      REDIS_PREFIX: pair.prefix,
      DATA_DIR: pair.a.deps.settings.dataDir,
      ...(pair.emulator === undefined ? {} : { CLOUDINARY_URL: pair.emulator.cloudinaryUrl }),
    });
    onTestFinished(() => restarted.close());
    const found = await restarted.call('GET', path);
    expect(found.status).toBe(503);
    expect(found.body.code).toBe('CATALOG_REBUILDING');
    expect((await restarted.call('GET', '/api/media')).body).toMatchObject({ rebuilding: true });
    expect((await upload(restarted, data, { key: 'k' })).body.code).toBe('CATALOG_REBUILDING');
    expect((await pair.assets()).length).toBe(2);
    expect((await upload(restarted, aPng())).status).toBe(202);
    // A worker begins the catalog, and its recovery has ended.
    const { keys } = restarted.deps;
    await redis.client.set(keys.epoch, Date.now());
    expect((await restarted.call('GET', nowhere)).status).toBe(503);
    await redis.client.hset(keys.syncState, 'lastFullAt', new Date().toISOString());
    await vi.waitFor(async () => expect((await restarted.call('GET', nowhere)).status).toBe(404));
  },
);

it('cannot know while the host does not answer, and says so', async () => {
  const redis = await startRedisSandbox();
  onTestFinished(() => redis.close());
  const pair = await startApiPair(redis, 'cloudinary');
  await pair.emulator?.faults.add({ kind: 'error', count: null });
  const own = await startApi(redis, { CLOUDINARY_URL: pair.emulator?.cloudinaryUrl });
  onTestFinished(() => own.close());
  expect((await own.call('GET', nowhere)).body.code).toBe('CATALOG_REBUILDING');
});
