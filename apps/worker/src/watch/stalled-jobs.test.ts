import { afterAll, beforeAll, expect, it } from 'vitest';
import { redisKeys } from '@holdfast/shared/redis';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { silentLogger } from '@holdfast/foundation/logging';
import type { QueueWorker } from '../create-worker.js';
import { createStalledJobs, nudgeQueues, shortenEventStreams } from './stalled-jobs.js';

const keys = redisKeys('holdfast');
let redis: RedisSandbox;
beforeAll(async () => {
  redis = await startRedisSandbox();
});
afterAll(() => redis.close());

// Taken for done, the watch would call Redis well.
it.each([
  ['nudge of queues', () => nudgeQueues(redis.client, keys, ['save'])],
  ['limit of event streams', () => shortenEventStreams(redis.client, keys)],
])('a %s that Redis refuses is not a success', async (_what, write) => {
  await write();
  await redis.client.config('SET', 'maxmemory', '1');
  await expect(write()).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
  await redis.client.config('SET', 'maxmemory', '0');
});

it.each([
  ['while jobs wait', { waiting: ['save'] as const, active: [] }, 3],
  // Those of a killed worker are until their locks end: no sign that this one sleeps.
  ['not while another one may have jobs in hand', { waiting: [], active: ['save'] as const }, 10],
])('reconnects a worker that does nothing, %s', async (_what, { waiting, active }, looks) => {
  let reconnects = 0;
  const worker: Partial<QueueWorker> = {
    queue: 'save',
    isIdle: () => true,
    jobsStarted: () => 0,
    recoverStalled: () => Promise.resolve([]),
    reconnect: () => void (reconnects += 1),
  };
  const onError = (error: Error): void => expect.fail(error.message);
  const deps = { redis: redis.client, keys, log: silentLogger };
  const attend = createStalledJobs(deps, [worker as QueueWorker], onError);
  const seen = { waiting: [...waiting], active: [...active], delayed: {} };
  // The first look has nothing to compare with.
  for (let look = 0; look < looks; look += 1) await attend(seen);
  expect(reconnects).toBe(0);
  await attend(seen);
  expect(reconnects).toBe(1);
});
