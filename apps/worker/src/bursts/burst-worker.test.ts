import { Queue, type Job } from 'bullmq';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '@holdfast/shared/logging';
import { closeRedis, connectRedis, type RedisClient } from '@holdfast/shared/redis';
import { freePort, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { readSettings } from '@holdfast/shared/config';
import type { BurstPace } from './burst-pace.js';
import { BurstWorker } from './burst-worker.js';
import { createJobBursts } from './job-bursts.js';

const prefix = '{bursts}';

let redis: RedisSandbox;
let connection: RedisClient;
let queue: Queue;
let worker: BurstWorker | undefined;
/** Jobs that have begun, in their order. */
let begun: Job[];
/** Ends the jobs that have begun, and lets those that begin later end at once; one named `bad` fails. */
let letGo: () => void;
let errors: Error[];

beforeEach(async () => {
  redis = await startRedisSandbox();
  const settings = readSettings({ REDIS_URL: redis.url });
  connection = connectRedis(settings.redis.connection, 'queue', silentLogger);
  queue = new Queue('work', { connection, prefix });
  begun = [];
  errors = [];
});
afterEach(async () => {
  letGo();
  await worker?.close();
  worker = undefined;
  await queue.close();
  await closeRedis(connection);
  await redis.close();
});

interface Setup {
  concurrency: number;
  /** As told to the bursts, where it is not the truth. */
  slots?: number;
  pace?: BurstPace;
}

function startWorker({ concurrency, slots = concurrency, pace }: Setup): BurstWorker {
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const bursts = createJobBursts(connection, () => slots, pace);
  const started = new BurstWorker(
    'work',
    async (job: Job) => {
      begun.push(job);
      await gate;
      if (job.name === 'bad') throw new Error('bad');
    },
    { connection, prefix, concurrency, autorun: false, lockDuration: 20_000, skipStalledCheck: true },
    bursts,
  );
  started.on('error', (error) => errors.push(error));
  void started.run();
  worker = started;
  return started;
}

async function add(count: number): Promise<void> {
  await queue.addBulk(Array.from({ length: count }, (_, index) => ({ name: 'job', data: { index } })));
}

/** The machine may be busy, and a connection that was refused waits before it comes again. */
const soon = <T>(check: () => T | Promise<T>): Promise<T> => vi.waitFor(check, { timeout: 20_000 });
const counts = (): Promise<Record<string, number>> => queue.getJobCounts('wait', 'active', 'completed');
const expectCounts = (expected: Record<string, number>): Promise<void> =>
  soon(async () => expect(await counts()).toEqual(expected));
const lockOf = (job: Job | undefined): Promise<string | null> =>
  redis.client.get(`${prefix}:work:${job?.id ?? ''}:lock`);
/** How often somebody looked for a job that waits. */
const looks = async (): Promise<number> =>
  Number(/cmdstat_rpoplpush:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1] ?? 0);
/** Connections that wait for the answer to this command. */
const clients = async (command: string): Promise<string[]> =>
  String(await redis.client.client('LIST'))
    .split('\n')
    .filter((line) => line.includes(` cmd=${command} `) && / flags=\w*b/.test(line));
const markers = (): Promise<string[]> => redis.client.zrange(`${prefix}:work:marker`, '0', '-1');

describe('taking', () => {
  it('gives each slot a job that is locked by its own token', async () => {
    await add(5);
    startWorker({ concurrency: 8 });
    await soon(() => expect(begun).toHaveLength(5));
    for (const job of begun) expect(await lockOf(job)).toBe(job.token);
    letGo();
    await expectCounts({ wait: 0, active: 0, completed: 5 });
    expect(errors).toEqual([]);
  });

  it('asks once for what waits, and not again before a job is added', async () => {
    await add(5);
    await redis.client.config('RESETSTAT');
    startWorker({ concurrency: 8 });
    await soon(() => expect(begun).toHaveLength(5));
    await soon(async () => expect(await clients('bzpopmin')).toHaveLength(1));
    // One for each job, and one that found none.
    expect(await looks()).toBe(6);
    letGo();
    await expectCounts({ wait: 0, active: 0, completed: 5 });
    expect(await looks()).toBe(6);
  });

  it('takes the next burst together, too', async () => {
    await add(8);
    startWorker({ concurrency: 8 });
    await soon(() => expect(begun).toHaveLength(8));
    letGo();
    await expectCounts({ wait: 0, active: 0, completed: 8 });
    await redis.client.config('RESETSTAT');
    await add(8);
    await expectCounts({ wait: 0, active: 0, completed: 16 });
    const scripts = /cmdstat_evalsha:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1];
    // One adds each job; one by one, as many would take them and finish them again.
    expect(Number(scripts)).toBeLessThan(16);
  });

  it.each([2, 20])('takes no more than there are slots for: %i', async (concurrency) => {
    await add(50);
    startWorker({ concurrency });
    await soon(() => expect(begun).toHaveLength(concurrency));
    await soon(async () => expect(await clients('bzpopmin')).toEqual([]));
    expect(await counts()).toEqual({ wait: 50 - concurrency, active: concurrency, completed: 0 });
    letGo();
    await expectCounts({ wait: 0, active: 0, completed: 50 });
    expect(errors).toEqual([]);
  });

  it('goes on where only so many may be active in all workers', async () => {
    await queue.setGlobalConcurrency(2);
    await add(6);
    startWorker({ concurrency: 8 });
    await soon(() => expect(begun).toHaveLength(2));
    await soon(async () => expect(await clients('bzpopmin')).toHaveLength(1));
    letGo();
    await expectCounts({ wait: 0, active: 0, completed: 6 });
  });

  it('is not kept from the others by a job that cannot be taken', async () => {
    await add(5);
    const [spoilt] = await queue.getWaiting(1, 1);
    await redis.client.del(`${prefix}:work:${spoilt?.id ?? ''}`);
    await redis.client.set(`${prefix}:work:${spoilt?.id ?? ''}`, 'text');
    startWorker({ concurrency: 8 });
    await soon(() => expect(begun).toHaveLength(4));
    for (const job of begun) expect(await lockOf(job)).toBe(job.token);
    letGo();
    await soon(async () => expect((await counts())['completed']).toBe(4));
  });

  it('is woken by a job that is added after the queue was found empty', async () => {
    await add(2);
    startWorker({ concurrency: 8 });
    await soon(() => expect(begun).toHaveLength(2));
    await soon(async () => expect(await markers()).toEqual([]));
    await add(1);
    await soon(() => expect(begun).toHaveLength(3));
  });

  it('goes on with what it took ahead, though a job that ended says that nothing waits', async () => {
    await add(5);
    startWorker({ concurrency: 1, slots: 10 });
    await soon(() => expect(begun).toHaveLength(1));
    expect(await counts()).toEqual({ wait: 0, active: 5, completed: 0 });
    letGo();
    await expectCounts({ wait: 0, active: 0, completed: 5 });
    expect(errors).toEqual([]);
  });

  it('goes on after a job that failed', async () => {
    await queue.add('bad', {});
    await add(2);
    startWorker({ concurrency: 1, slots: 10 });
    await soon(() => expect(begun).toHaveLength(1));
    letGo();
    await expectCounts({ wait: 0, active: 0, completed: 2 });
    expect(await queue.getFailedCount()).toBe(1);
    expect(errors).toEqual([]);
  });
});

describe('a lull', () => {
  /** One so long after each burst. */
  function lullsOf(lullMs: number) {
    return {
      took: vi.fn<BurstPace['took']>(),
      hurry: vi.fn<BurstPace['hurry']>(),
      lullMs: vi.fn<BurstPace['lullMs']>(() => lullMs),
    };
  }

  it('leaves jobs where they are, also when the worker closes', async () => {
    const pace = lullsOf(3_000);
    await add(2);
    const started = startWorker({ concurrency: 8, pace });
    await soon(() => expect(pace.lullMs).toHaveBeenCalledOnce());
    await add(1);
    expect(await clients('bzpopmin')).toEqual([]);
    letGo();
    await started.close();
    expect(await counts()).toEqual({ wait: 1, active: 0, completed: 2 });
    expect(errors).toEqual([]);
  });

  it('ends with a burst of all that came meanwhile', async () => {
    const pace = lullsOf(500);
    await add(1);
    startWorker({ concurrency: 8, pace });
    await soon(() => expect(pace.lullMs).toHaveBeenCalledOnce());
    await add(1);
    await add(1);
    await soon(() => expect(begun).toHaveLength(3));
    expect(pace.took.mock.calls.map(([jobs]) => jobs).filter((jobs) => jobs > 0)).toEqual([1, 2]);
  });

  it('is told of jobs that somebody waits for', async () => {
    const pace = lullsOf(0);
    await queue.add('job', { awaited: false });
    startWorker({ concurrency: 8, pace });
    await soon(() => expect(begun).toHaveLength(1));
    expect(pace.hurry).not.toHaveBeenCalled();
    await queue.add('job', { awaited: true });
    await soon(() => expect(begun).toHaveLength(2));
    expect(pace.hurry).toHaveBeenCalledOnce();
  });
});

describe('giving back', () => {
  it('happens at the pause, and the jobs run after it', async () => {
    await add(5);
    const started = startWorker({ concurrency: 1, slots: 10 });
    await soon(() => expect(begun).toHaveLength(1));
    await started.pause(true);
    expect(await counts()).toEqual({ wait: 4, active: 1, completed: 0 });
    letGo();
    await expectCounts({ wait: 4, active: 0, completed: 1 });
    await started.resume();
    await expectCounts({ wait: 0, active: 0, completed: 5 });
    expect(errors).toEqual([]);
  });

  it('is done for the others when one has lost its lock', async () => {
    await add(5);
    const started = startWorker({ concurrency: 1, slots: 10 });
    await soon(() => expect(begun).toHaveLength(1));
    const ids = await redis.client.lrange(`${prefix}:work:active`, 0, -1);
    const [lost = ''] = ids.filter((id) => id !== begun[0]?.id);
    await redis.client.del(`${prefix}:work:${lost}:lock`);
    await started.pause(true);
    expect(await counts()).toEqual({ wait: 3, active: 2, completed: 0 });
    expect(errors.map(({ message }) => message).join()).toMatch(/lock/i);
  });

  it('keeps the order of the jobs', async () => {
    await add(5);
    const started = startWorker({ concurrency: 1, slots: 10 });
    await soon(() => expect(begun).toHaveLength(1));
    await started.pause(true);
    letGo();
    await started.resume();
    await expectCounts({ wait: 0, active: 0, completed: 5 });
    expect(begun.map(({ data }) => (data as { index: number }).index)).toEqual([0, 1, 2, 3, 4]);
  });

  it('happens when the answer comes after the pause', async () => {
    await add(5);
    await redis.client.client('PAUSE', 60_000, 'WRITE');
    const started = startWorker({ concurrency: 1, slots: 10 });
    await soon(async () => expect(await clients('evalsha')).toHaveLength(1));
    const paused = started.pause(true);
    await redis.client.client('UNPAUSE');
    await paused;
    // BullMQ runs the job that it asked for.
    await expectCounts({ wait: 4, active: 1, completed: 0 });
  });

  it('happens at the end, so that another worker need not wait for the locks', async () => {
    await add(5);
    const started = startWorker({ concurrency: 1, slots: 10 });
    await soon(() => expect(begun).toHaveLength(1));
    const closed = started.close();
    await expectCounts({ wait: 4, active: 1, completed: 0 });
    letGo();
    await closed;
    expect(await counts()).toEqual({ wait: 4, active: 0, completed: 1 });
  });
});

describe('finishing', () => {
  it('finishes those that end together, and keeps what each of them keeps', async () => {
    await queue.addBulk([
      { name: 'gone', data: {}, opts: { removeOnComplete: true } },
      { name: 'kept', data: {} },
    ]);
    startWorker({ concurrency: 8 });
    await soon(() => expect(begun).toHaveLength(2));
    letGo();
    await expectCounts({ wait: 0, active: 0, completed: 1 });
    const [kept] = await queue.getCompleted();
    expect(kept).toMatchObject({ name: 'kept', attemptsMade: 1 });
    expect(kept?.finishedOn).toBeGreaterThanOrEqual(kept?.processedOn ?? Infinity);
  });

  it('waits for the master where the server became a replica meanwhile', async () => {
    await add(3);
    const started = startWorker({ concurrency: 8 });
    let failed = 0;
    started.on('failed', () => (failed += 1));
    await soon(() => expect(begun).toHaveLength(3));
    const port = await freePort();
    await redis.client.call('REPLICAOF', '127.0.0.1', String(port));
    const refusals = async (): Promise<number> =>
      Number(/errorstat_READONLY:count=(\d+)/.exec(await redis.client.info('errorstats'))?.[1] ?? 0);
    letGo();
    await soon(async () => expect(await refusals()).toBeGreaterThan(0));
    await redis.client.call('REPLICAOF', 'NO', 'ONE');
    await soon(async () => expect((await counts())['completed']).toBe(3));
    expect([begun.length, failed]).toEqual([3, 0]);
  });

  it.each([
    ['has lost its lock', (id: string) => redis.client.del(`${prefix}:work:${id}:lock`), /lock/i],
    ['is no hash any more', (id: string) => redis.client.set(`${prefix}:work:${id}`, 'text'), /WRONGTYPE/],
  ])('is not kept from the others by one that %s', async (_what, spoil, message) => {
    await add(3);
    startWorker({ concurrency: 8 });
    await soon(() => expect(begun).toHaveLength(3));
    await spoil(begun[1]?.id ?? '');
    letGo();
    await soon(async () => expect((await counts())['completed']).toBe(2));
    await soon(() => expect(errors.map((error) => error.message).join()).toMatch(message));
  });
});
