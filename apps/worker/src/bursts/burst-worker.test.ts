import type { Job } from 'bullmq';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '@holdfast/shared/testing';
import { openBurstRig, prefix, soon, type BurstRig } from '../../test/support/burst-rig.js';

let rig: BurstRig;
beforeEach(async () => {
  rig = await openBurstRig();
});
afterEach(() => rig.close());

const lockOf = (job: Job | undefined): Promise<string | null> =>
  rig.redis.client.get(`${prefix}:work:${job?.id ?? ''}:lock`);
/** How often somebody looked for a job that waits. */
const looks = async (): Promise<number> =>
  Number(/cmdstat_rpoplpush:calls=(\d+)/.exec(await rig.redis.client.info('commandstats'))?.[1] ?? 0);
const markers = (): Promise<string[]> => rig.redis.client.zrange(`${prefix}:work:marker`, '0', '-1');

describe('taking', () => {
  it('gives each slot a job that is locked by its own token', async () => {
    await rig.add(5);
    rig.startWorker({ concurrency: 8 });
    await soon(() => expect(rig.begun).toHaveLength(5));
    for (const job of rig.begun) expect(await lockOf(job)).toBe(job.token);
    rig.letGo();
    await rig.expectCounts({ wait: 0, active: 0, completed: 5 });
    expect(rig.errors).toEqual([]);
  });

  it('asks once for what waits, and not again before a job is added', async () => {
    await rig.add(5);
    await rig.redis.client.config('RESETSTAT');
    rig.startWorker({ concurrency: 8 });
    await soon(() => expect(rig.begun).toHaveLength(5));
    await soon(async () => expect(await rig.clients('bzpopmin')).toHaveLength(1));
    // One for each job, and one that found none.
    expect(await looks()).toBe(6);
    rig.letGo();
    await rig.expectCounts({ wait: 0, active: 0, completed: 5 });
    expect(await looks()).toBe(6);
  });

  it('takes the next burst together, too', async () => {
    await rig.add(8);
    rig.startWorker({ concurrency: 8 });
    await soon(() => expect(rig.begun).toHaveLength(8));
    rig.letGo();
    await rig.expectCounts({ wait: 0, active: 0, completed: 8 });
    await rig.redis.client.config('RESETSTAT');
    await rig.add(8);
    await rig.expectCounts({ wait: 0, active: 0, completed: 16 });
    const scripts = /cmdstat_evalsha:calls=(\d+)/.exec(await rig.redis.client.info('commandstats'))?.[1];
    // One adds each job; one by one, as many would take them and finish them again.
    expect(Number(scripts)).toBeLessThan(16);
  });

  it.each([2, 20])('takes no more than there are slots for: %i', async (concurrency) => {
    await rig.add(50);
    rig.startWorker({ concurrency });
    await soon(() => expect(rig.begun).toHaveLength(concurrency));
    await soon(async () => expect(await rig.clients('bzpopmin')).toEqual([]));
    expect(await rig.counts()).toEqual({ wait: 50 - concurrency, active: concurrency, completed: 0 });
    rig.letGo();
    await rig.expectCounts({ wait: 0, active: 0, completed: 50 });
    expect(rig.errors).toEqual([]);
  });

  it('goes on where only so many may be active in all workers', async () => {
    await rig.queue.setGlobalConcurrency(2);
    await rig.add(6);
    rig.startWorker({ concurrency: 8 });
    await soon(() => expect(rig.begun).toHaveLength(2));
    await soon(async () => expect(await rig.clients('bzpopmin')).toHaveLength(1));
    rig.letGo();
    await rig.expectCounts({ wait: 0, active: 0, completed: 6 });
  });

  it('is not kept from the others by a job that cannot be taken', async () => {
    await rig.add(5);
    const [spoilt] = await rig.queue.getWaiting(1, 1);
    await rig.redis.client.del(`${prefix}:work:${spoilt?.id ?? ''}`);
    await rig.redis.client.set(`${prefix}:work:${spoilt?.id ?? ''}`, 'text');
    rig.startWorker({ concurrency: 8 });
    await soon(() => expect(rig.begun).toHaveLength(4));
    for (const job of rig.begun) expect(await lockOf(job)).toBe(job.token);
    rig.letGo();
    await soon(async () => expect((await rig.counts())['completed']).toBe(4));
  });

  it('is woken by a job that is added after the queue was found empty', async () => {
    await rig.add(2);
    rig.startWorker({ concurrency: 8 });
    await soon(() => expect(rig.begun).toHaveLength(2));
    await soon(async () => expect(await markers()).toEqual([]));
    await rig.add(1);
    await soon(() => expect(rig.begun).toHaveLength(3));
  });

  it('goes on with what it took ahead, though a job that ended says that nothing waits', async () => {
    await rig.add(5);
    rig.startWorker({ concurrency: 1, slots: 10 });
    await soon(() => expect(rig.begun).toHaveLength(1));
    expect(await rig.counts()).toEqual({ wait: 0, active: 5, completed: 0 });
    rig.letGo();
    await rig.expectCounts({ wait: 0, active: 0, completed: 5 });
    expect(rig.errors).toEqual([]);
  });

  it('goes on after a job that failed', async () => {
    await rig.queue.add('bad', {});
    await rig.add(2);
    rig.startWorker({ concurrency: 1, slots: 10 });
    await soon(() => expect(rig.begun).toHaveLength(1));
    rig.letGo();
    await rig.expectCounts({ wait: 0, active: 0, completed: 2 });
    expect(await rig.queue.getFailedCount()).toBe(1);
    expect(rig.errors).toEqual([]);
  });
});

describe('giving back', () => {
  it('is done for the others when one has lost its lock', async () => {
    await rig.add(5);
    const started = rig.startWorker({ concurrency: 1, slots: 10 });
    await soon(() => expect(rig.begun).toHaveLength(1));
    const ids = await rig.redis.client.lrange(`${prefix}:work:active`, 0, -1);
    const [lost = ''] = ids.filter((id) => id !== rig.begun[0]?.id);
    await rig.redis.client.del(`${prefix}:work:${lost}:lock`);
    const closed = started.close();
    await rig.expectCounts({ wait: 3, active: 2, completed: 0 });
    expect(rig.errors.map(({ message }) => message).join()).toMatch(/lock/i);
    rig.letGo();
    await closed;
  });

  it('keeps the order of the jobs', async () => {
    await rig.add(5);
    const started = rig.startWorker({ concurrency: 1, slots: 10 });
    await soon(() => expect(rig.begun).toHaveLength(1));
    const closed = started.close();
    rig.letGo();
    await closed;
    rig.startWorker({ concurrency: 1 });
    rig.letGo();
    await rig.expectCounts({ wait: 0, active: 0, completed: 5 });
    expect(rig.begun.map(({ data }) => (data as { index: number }).index)).toEqual([0, 1, 2, 3, 4]);
  });

  it('happens when the answer comes after the stop began', async () => {
    await rig.add(5);
    await rig.redis.client.client('PAUSE', 60_000, 'WRITE');
    const started = rig.startWorker({ concurrency: 1, slots: 10 });
    await soon(async () => expect(await rig.clients('evalsha')).toHaveLength(1));
    const closed = started.close();
    await rig.redis.client.client('UNPAUSE');
    // BullMQ runs the job that it asked for.
    await rig.expectCounts({ wait: 4, active: 1, completed: 0 });
    rig.letGo();
    await closed;
  });

  it('happens at the end, so that another worker need not wait for the locks', async () => {
    await rig.add(5);
    const started = rig.startWorker({ concurrency: 1, slots: 10 });
    await soon(() => expect(rig.begun).toHaveLength(1));
    const closed = started.close();
    await rig.expectCounts({ wait: 4, active: 1, completed: 0 });
    rig.letGo();
    await closed;
    expect(await rig.counts()).toEqual({ wait: 4, active: 0, completed: 1 });
  });
});

describe('finishing', () => {
  it('finishes those that end together, and keeps what each of them keeps', async () => {
    await rig.queue.addBulk([
      { name: 'gone', data: {}, opts: { removeOnComplete: true } },
      { name: 'kept', data: {} },
    ]);
    rig.startWorker({ concurrency: 8 });
    await soon(() => expect(rig.begun).toHaveLength(2));
    rig.letGo();
    await rig.expectCounts({ wait: 0, active: 0, completed: 1 });
    const [kept] = await rig.queue.getCompleted();
    expect(kept).toMatchObject({ name: 'kept', attemptsMade: 1 });
    expect(kept?.finishedOn).toBeGreaterThanOrEqual(kept?.processedOn ?? Infinity);
  });

  it('waits for the master where the server became a replica meanwhile', async () => {
    await rig.add(3);
    const started = rig.startWorker({ concurrency: 8 });
    let failed = 0;
    started.on('failed', () => (failed += 1));
    await soon(() => expect(rig.begun).toHaveLength(3));
    const port = await freePort();
    await rig.redis.client.call('REPLICAOF', '127.0.0.1', String(port));
    const refusals = async (): Promise<number> =>
      Number(/errorstat_READONLY:count=(\d+)/.exec(await rig.redis.client.info('errorstats'))?.[1] ?? 0);
    rig.letGo();
    await soon(async () => expect(await refusals()).toBeGreaterThan(0));
    await rig.redis.client.call('REPLICAOF', 'NO', 'ONE');
    await soon(async () => expect((await rig.counts())['completed']).toBe(3));
    expect([rig.begun.length, failed]).toEqual([3, 0]);
  });

  it.each([
    ['has lost its lock', (id: string) => rig.redis.client.del(`${prefix}:work:${id}:lock`), /lock/i],
    [
      'is no hash any more',
      (id: string) => rig.redis.client.set(`${prefix}:work:${id}`, 'text'),
      /WRONGTYPE/,
    ],
  ])('is not kept from the others by one that %s', async (_what, spoil, message) => {
    await rig.add(3);
    rig.startWorker({ concurrency: 8 });
    await soon(() => expect(rig.begun).toHaveLength(3));
    await spoil(rig.begun[1]?.id ?? '');
    rig.letGo();
    await soon(async () => expect((await rig.counts())['completed']).toBe(2));
    await soon(() => expect(rig.errors.map((error) => error.message).join()).toMatch(message));
  });
});
