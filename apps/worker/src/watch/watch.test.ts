import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { isReadyWithin, redisKeys } from '@holdfast/shared/redis';
import { aRecord, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import type { QueueWorker } from '../create-worker.js';
import { openBench } from '../../test/support/start-worker.js';
import { openDependencies } from '../dependencies.js';
import { createStalledJobs, createWatchRound, shortenEventStreams } from './watch.js';
import { createLook } from './watched-state.js';

const all = { limit: 10, order: 'newest' } as const;

it('makes the indexes of records that 0.1.0 wrote, at a start and beside a process of 0.1.0', async () => {
  const bench = await openBench();
  onTestFinished(() => bench.close());
  const events: string[] = [];
  const { catalog, keys } = bench;
  const redis = bench.sandbox.client;
  const leaveAsOldVersion = async (): Promise<string> => {
    const record = aRecord();
    await catalog.save(record);
    await redis.del(await redis.keys(keys.index('*')));
    await redis.zadd(keys.oldIndex('t:i'), Date.parse(record.createdAt), record.id);
    return record.id;
  };
  const deps = await openDependencies(bench.settings, silentLogger);
  onTestFinished(() => deps.close());
  await Promise.all(deps.connections.map((connection) => isReadyWithin(connection, 5_000)));
  const onError = (error: Error): void => expect.fail(error.message);
  const round = createWatchRound(
    { ...deps, log: { ...silentLogger, info: (event) => void events.push(event) } },
    [],
    new AbortController().signal,
    onError,
  );

  const before = await leaveAsOldVersion();
  await round.once();
  await round.ended();
  expect(await catalog.list(all)).toMatchObject({ items: [{ id: before }], total: 1 });
  expect(await catalog.hasOldIndexes()).toBe(false);

  const beside = await leaveAsOldVersion();
  for (let looks = 0; looks < 50; looks += 1) await round.once();
  await round.ended();
  expect((await catalog.list(all)).items.map(({ id }) => id).toSorted()).toEqual([before, beside].toSorted());
  expect(await catalog.hasOldIndexes()).toBe(false);

  // Not at each look, since it reads all records.
  const upgrades = (): number => events.filter((event) => event === 'indexes.upgrading').length;
  const earlier = upgrades();
  for (let looks = 0; looks < 90; looks += 1) {
    await leaveAsOldVersion();
    await round.once();
    await round.ended();
  }
  expect([1, 2]).toContain(upgrades() - earlier);
});

it('tries again soon where it could not make the indexes', async () => {
  const bench = await openBench();
  onTestFinished(() => bench.close());
  await bench.sandbox.client.zadd(bench.keys.oldIndex('t:i'), 1, 'gone');
  const deps = await openDependencies(bench.settings, silentLogger);
  onTestFinished(() => deps.close());
  await Promise.all(deps.connections.map((connection) => isReadyWithin(connection, 5_000)));
  const failures: string[] = [];
  const catalog = {
    ...deps.catalog,
    repairIndexes: (signal: AbortSignal) =>
      failures.length === 0
        ? Promise.reject(new Error('Redis went away'))
        : deps.catalog.repairIndexes(signal),
  };
  const round = createWatchRound({ ...deps, catalog }, [], new AbortController().signal, ({ message }) =>
    failures.push(message),
  );
  await vi.waitFor(
    async () => {
      await round.once();
      await round.ended();
      expect(await bench.catalog.hasOldIndexes()).toBe(false);
    },
    { interval: 100 },
  );
  expect(failures).toEqual(['Redis went away']);
});

const keys = redisKeys('holdfast');
let redis: RedisSandbox;
beforeAll(async () => {
  redis = await startRedisSandbox();
});
afterAll(() => redis.close());

it('notices that Redis was emptied, also when work under way has written as many keys since', async () => {
  const { client } = redis;
  const look = createLook(client, keys, true);
  const schedule = keys.queue('sync', 'repeat');
  await client.set(keys.epoch, 1);
  await client.zadd(schedule, 1, 'schedule');
  // The first look registers the worker.
  for (let looks = 0; looks < 2; looks += 1)
    expect(await look.once()).toMatchObject({ emptied: false, scheduleGone: false, unfinished: false });
  await client.del(keys.epoch, schedule);
  await client.zadd(keys.intents, 1, 'an upload');
  await client.lpush(keys.queue('save', 'wait'), 'a job');
  const lost = { emptied: true, scheduleGone: true, waiting: ['save'], unfinished: true };
  expect(await look.once()).toMatchObject(lost);
  await client.set(keys.epoch, 1);
  await client.del(keys.intents);
  expect(await look.once()).toMatchObject({ ...lost, emptied: false, unfinished: false });
  await client.flushall();
});

const queueDeps = () => ({ background: redis.client, keys, log: silentLogger });
const fail = (error: Error): void => expect.fail(error.message);

// Taken for done, the watch would call Redis well.
it.each([
  [
    'wake-up of workers',
    () => createStalledJobs(queueDeps(), [], fail)({ waiting: ['save'], active: [], overdue: [] }),
  ],
  ['limit of event streams', () => shortenEventStreams(queueDeps())],
])('a %s that Redis refuses is not a success', async (_what, write) => {
  await write();
  await redis.client.config('SET', 'maxmemory', '1');
  await expect(write()).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
  await redis.client.config('SET', 'maxmemory', '0');
});

it.each([
  ['while jobs wait', { waiting: ['save'] as const, active: [] }, 3],
  // Those of a killed worker are until their locks end: no sign that this one sleeps.
  ['not while another worker may hold the jobs', { waiting: [], active: ['save'] as const }, 10],
])('reconnects a worker that does nothing, %s', async (_what, { waiting, active }, looks) => {
  let reconnects = 0;
  const worker: Partial<QueueWorker> = {
    queue: 'save',
    isIdle: () => true,
    jobsStarted: () => 0,
    recoverStalled: () => Promise.resolve([]),
    reconnect: () => void (reconnects += 1),
  };
  const attend = createStalledJobs(queueDeps(), [worker as QueueWorker], fail);
  const seen = { waiting: [...waiting], active: [...active], overdue: [] };
  // The first look has nothing to compare with.
  for (let look = 0; look < looks; look += 1) await attend(seen);
  expect(reconnects).toBe(0);
  await attend(seen);
  expect(reconnects).toBe(1);
});
