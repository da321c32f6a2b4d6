import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { createCatalog } from '@holdfast/shared/catalog';
import { HoldfastError } from '@holdfast/foundation/errors';
import { createIntents } from '@holdfast/shared/intents';
import { createBackoff } from '@holdfast/foundation/lifecycle';
import { silentLogger } from '@holdfast/foundation/logging';
import { redisKeys } from '@holdfast/shared/redis';
import { aRecord, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { aPng, startApiPair, upload } from '../../test/support/api-pair.js';
import { createDeferredUploads } from './deferred-uploads.js';

let redis: RedisSandbox;
beforeAll(async () => {
  redis = await startRedisSandbox();
});
afterAll(() => redis.close());

it('holds no more than its limit, so that the next upload is refused', async () => {
  const deferred = createDeferredUploads({ log: silentLogger, newBackoff: createBackoff });
  onTestFinished(() => deferred.stop());
  const record = aRecord();
  const never = (): Promise<void> => Promise.reject(new Error('called'));
  // All at once, before the first of them is tried again.
  const taken = Array.from({ length: 10_000 }, (_, n) => deferred.add(`r${String(n)}`, never, record));
  expect(taken.every(Boolean)).toBe(true);
  expect(deferred.add('one more', never, record)).toBe(false);
  expect(deferred.size()).toBe(10_000);
});

it('is not held up by an upload that fails for a reason of its own', async () => {
  const keys = redisKeys('holdfast');
  const intents = createIntents(redis.client, keys);
  const catalog = createCatalog(redis.client, keys);
  const deferred = createDeferredUploads({ log: silentLogger, newBackoff: createBackoff });
  await redis.client.set(keys.byTag('broken'), 'no index');
  const [bad, good] = [aRecord({ tags: ['broken'] }), aRecord()];
  try {
    for (const record of [bad, good])
      deferred.add(record.id, async () => void (await intents.accept({ record, committed: true })), record);
    await vi.waitFor(() => expect(deferred.find(good.id)).toBeNull(), { interval: 20 });
    expect((await catalog.find(good.id))?.status).toBe('saving');
    expect(deferred.find(bad.id)?.status).toBe('deferred');
    await redis.client.del(keys.byTag('broken'));
    await vi.waitFor(() => expect(deferred.size()).toBe(0), { interval: 20 });
    expect((await catalog.find(bad.id))?.status).toBe('saving');
  } finally {
    deferred.stop();
  }
});

it('is not unknown to other APIs, which may read what Redis does not let the first one write', async () => {
  const { a, b } = await startApiPair(redis, 'local');
  const accept = vi.spyOn(a.deps.intents, 'accept').mockRejectedValue(new HoldfastError('QUEUE_UNAVAILABLE'));
  const { status, body } = await upload(a, aPng());
  expect({ status, body }).toMatchObject({ status: 202, body: { media: { status: 'deferred' } } });
  const path = `/api/media/${body.media.id}`;
  vi.spyOn(b.deps.rebuilding, 'isOn').mockResolvedValue(false);
  for (const method of ['GET', 'DELETE'])
    expect(await b.call(method, path)).toMatchObject({ status: 503, body: { code: 'CATALOG_UNAVAILABLE' } });
  accept.mockRestore();
  await vi.waitFor(async () => expect((await b.call('GET', path)).body.status).toBe('saving'));
});

it('is as the catalog has it, once another API or a sweep has brought it there', async () => {
  const { a, b } = await startApiPair(redis, 'local');
  vi.spyOn(a.deps.intents, 'accept').mockRejectedValue(new HoldfastError('QUEUE_UNAVAILABLE'));
  const { id } = (await upload(a, aPng(), { fields: { title: 'old' } })).body.media;
  const record = { ...aRecord(), ...a.deps.deferred.find(id), status: 'saving' as const };
  await b.deps.intents.accept({ record, committed: true, claim: null });
  expect(await b.call('PATCH', `/api/media/${id}`, { title: 'new' })).toMatchObject({ status: 200 });
  expect((await a.call('GET', `/api/media/${id}`)).body.title).toBe('new');
});
