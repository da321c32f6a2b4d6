import { afterAll, beforeAll, expect, it } from 'vitest';
import { redisKeys } from '@holdfast/shared/redis';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { nudgeQueues, shortenEventStreams } from './stalled-jobs.js';

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
