import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createCatalog } from '../catalog/index.js';
import { readSettings } from '@holdfast/foundation/config';
import { connectMediaQueues, saveJob, verifyJob, type MediaQueues } from '../jobs/index.js';
import { silentLogger } from '@holdfast/foundation/logging';
import type { MediaRecord } from '../media/index.js';
import { redisKeys } from '../redis/index.js';
import { aRecord, startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createIntents, type Intents } from './index.js';

let redis: RedisSandbox;
let queues: MediaQueues;
let intents: Intents;
beforeAll(async () => {
  redis = await startRedisSandbox();
  queues = connectMediaQueues(redis.settings, readSettings({}).jobs, silentLogger);
  intents = createIntents(redis.client, redisKeys('holdfast'));
  await vi.waitFor(() => queues.queues.save.getWaitingCount(), { interval: 10 });
});
afterAll(async () => {
  await queues.close();
  await redis.close();
});
beforeEach(() => redis.client.flushall());

/** Jobs of save, and of verify. */
const waiting = () =>
  Promise.all([queues.queues.save, queues.queues.verify].map((queue) => queue.getWaitingCount()));

/** Every key that BullMQ has of the two queues, with what is in it; times and numbers of events left out. */
async function queuesInRedis(): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const key of (await redis.client.keys('*')).filter((name) => /:(?:save|verify):/.test(name))) {
    const type = await redis.client.type(key);
    if (type === 'hash') {
      const { timestamp, opts, ...rest } = await redis.client.hgetall(key);
      // Redis writes the options in an order of its own.
      const job = opts !== undefined && {
        opts: JSON.parse(opts) as unknown,
        timestamp: typeof Number(timestamp),
      };
      found[key] = { ...rest, ...job };
    } else if (type === 'list') found[key] = await redis.client.lrange(key, 0, -1);
    else if (type === 'zset') found[key] = await redis.client.zrange(key, '0', '-1', 'WITHSCORES');
    else if (type === 'stream')
      found[key] = (await redis.client.xrange(key, '-', '+')).map(([, fields]) => fields);
    else found[key] = await redis.client.get(key);
  }
  return found;
}

const acceptWithJobs = async (record: MediaRecord): Promise<string> =>
  intents.accept({ record, jobs: queues.jobsOf(record) });

it('adds the jobs of an upload exactly as BullMQ does', async () => {
  const record = aRecord();
  for (const job of [saveJob, verifyJob]) await queues.add(job, { record, round: 0 });
  const asBullMq = await queuesInRedis();
  expect(Object.keys(asBullMq)).toContain(`{holdfast}:verify:verify-${record.id}-1`);
  await redis.client.flushall();
  await intents.open(record.id, record.publicId, 10);
  expect(await acceptWithJobs(record)).toBe('accepted');
  expect(await queuesInRedis()).toEqual(asBullMq);
});

it('adds none for what is refused, and none twice', async () => {
  const refused = aRecord();
  expect(await acceptWithJobs(refused)).toBe('dead');
  expect(await queuesInRedis()).toEqual({});
  const record = aRecord();
  await intents.open(record.id, record.publicId, 10);
  expect(await acceptWithJobs(record)).toBe('accepted');
  expect(await acceptWithJobs(record)).toBe('accepted');
  expect(await waiting()).toEqual([1, 1]);
});

it('accepts many in one step, and answers each for itself', async () => {
  const records = Array.from({ length: 100 }, () => aRecord());
  const opened = records.filter((_, index) => index % 3 !== 0);
  await Promise.all(opened.map(({ id, publicId }) => intents.open(id, publicId, 1_000)));
  const calls = await commandCalls('evalsha', async () => {
    const answers = await Promise.all(records.map(acceptWithJobs));
    expect(answers).toEqual(records.map((record) => (opened.includes(record) ? 'accepted' : 'dead')));
  });
  expect(calls).toBe(7);
  expect(await waiting()).toEqual([opened.length, opened.length]);
});

it('keeps what it accepted where a job cannot be added, and leaves the job to the sweep', async () => {
  const record = aRecord();
  await intents.open(record.id, record.publicId, 10);
  await redis.client.set('{holdfast}:save:wait', 'no list');
  expect(await intents.accept({ record, jobs: queues.jobsOf(record) })).toBe('unqueued');
  expect(await intents.beat([record.id])).toEqual(['settled']);
  expect((await createCatalog(redis.client, redisKeys('holdfast')).find(record.id))?.status).toBe('saving');
});

async function commandCalls(command: string, work: () => Promise<void>): Promise<number> {
  await redis.client.config('RESETSTAT');
  await work();
  const info = await redis.client.info('commandstats');
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(info)?.[1] ?? 0);
}
