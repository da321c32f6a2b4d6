import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { createCatalog } from '@holdfast/shared/catalog';
import { readSettings } from '@holdfast/shared/config';
import { createIntents } from '@holdfast/shared/intents';
import { connectMediaQueues, type MediaQueues } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/shared/logging';
import { redisKeys } from '@holdfast/shared/redis';
import { aRecord, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { createDeferredUploads } from './deferred-uploads.js';

let redis: RedisSandbox;
let queues: MediaQueues;
beforeAll(async () => {
  redis = await startRedisSandbox();
  queues = connectMediaQueues(redis.settings, readSettings({}).jobs, silentLogger);
});
afterAll(async () => {
  await queues.close();
  await redis.close();
});

it('takes no more than it can remember, so that the next upload is refused', async () => {
  const intents = createIntents(redis.client, redisKeys('full'));
  const deferred = createDeferredUploads({ intents, queues, log: silentLogger });
  onTestFinished(() => deferred.stop());
  const record = aRecord();
  // All at once, before the first of them is tried again.
  const taken = Array.from({ length: 10_000 }, (_, n) =>
    deferred.add({ ...record, id: `r${String(n)}` }, null),
  );
  expect(taken.every(Boolean)).toBe(true);
  expect(deferred.add(aRecord(), null)).toBe(false);
  expect(deferred.size()).toBe(10_000);
});

it('is not held up by an upload that fails for a reason of its own', async () => {
  const keys = redisKeys('holdfast');
  const intents = createIntents(redis.client, keys);
  const catalog = createCatalog(redis.client, keys);
  const deferred = createDeferredUploads({ intents, queues, log: silentLogger });
  await redis.client.set(keys.byTag('broken'), 'no index');
  const [bad, good] = [aRecord({ tags: ['broken'] }), aRecord()];
  try {
    deferred.add(bad, null);
    deferred.add(good, null);
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
