import { afterAll, beforeAll, expect, it } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import { startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { connectMediaQueues, type MediaQueues } from './index.js';
import { insertOf, type JobInsert } from './jobs-in-scripts.js';

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

const insertWith = (options: { delay?: number; priority?: number }): Promise<JobInsert> =>
  insertOf(queues.queues.save, 'save', {}, { jobId: 'a', ...options });

it('tells what BullMQ would send for a job that may start at once', async () => {
  const { keys, values } = await insertWith({});
  expect(keys[0]).toBe('{holdfast}:save:wait');
  expect(keys).toHaveLength(9);
  expect(values).toHaveLength(3);
});

it('refuses jobs that BullMQ adds with another script', async () => {
  await expect(insertWith({ delay: 1_000 })).rejects.toMatchObject({ code: 'INTERNAL' });
  await expect(insertWith({ priority: 1 })).rejects.toMatchObject({ code: 'INTERNAL' });
});
