import { EventEmitter, once } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HoldfastError } from '@holdfast/shared/errors';
import { GiveUp, HandBack, pushJob, saveJob } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/shared/logging';
import { closeRedis, connectRedis } from '@holdfast/shared/redis';
import { aRecord } from '@holdfast/shared/testing';
import { createWorker, type QueueWorker } from '../src/create-worker.js';
import { openBench, type Bench } from './support/start-worker.js';

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
});
const closeFirst: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closeFirst.splice(0)) await close();
  await bench.close();
});

const within = { timeout: 10_000, interval: 20 };

/** A worker of the save queue that does what the test says instead of our handlers. */
async function startScripted(
  work: (run: number, signal: AbortSignal) => Promise<void>,
): Promise<QueueWorker> {
  let run = 0;
  const connection = connectRedis(bench.settings.redis.connection, 'queue', silentLogger);
  const worker = createWorker({
    queue: 'save',
    connection,
    prefix: bench.keys.prefix,
    concurrency: 1,
    cancelAfterMs: 0,
    runJob: (_job, signal) => work((run += 1), signal),
    noteFailure: () => Promise.resolve(),
    log: silentLogger,
  });
  await worker.start();
  closeFirst.push(async () => {
    await worker.stop(AbortSignal.timeout(2_000));
    await closeRedis(connection);
  });
  return worker;
}

async function addJob() {
  await bench.queues.add(pushJob, { id: 'x', revision: 1, round: 0 });
  return async () => {
    const job = await bench.queues.queues.save.getJob('push-x-1');
    return { state: await job?.getState(), attemptsMade: job?.attemptsMade, reason: job?.failedReason };
  };
}

it.each([
  ['handed back', () => new HandBack('not now', 10)],
  ['handed back at once', () => new HandBack('not now')],
  [
    'refused by Redis',
    () => new HoldfastError('CATALOG_UNAVAILABLE', undefined, { retryAfterSeconds: 0.01 }),
  ],
  [
    'asked by the host to wait',
    () => new HoldfastError('HOST_RATE_LIMITED', undefined, { retryAfterSeconds: 0.01 }),
  ],
])('does not count the attempt of a job that was %s', async (_how, error) => {
  await startScripted((run) => (run < 5 ? Promise.reject(error()) : Promise.resolve()));
  const look = await addJob();
  await vi.waitFor(
    async () => expect(await look()).toMatchObject({ state: 'completed', attemptsMade: 1 }),
    within,
  );
});

it('counts any other failure, and keeps its reason after the last attempt', async () => {
  await startScripted(() => Promise.reject(new HoldfastError('HOST_REJECTED', 'the host said no')));
  const look = await addJob();
  await vi.waitFor(
    async () =>
      expect(await look()).toEqual({ state: 'failed', attemptsMade: 3, reason: 'the host said no' }),
    within,
  );
});

it('gives up at once when told so', async () => {
  await startScripted(() => Promise.reject(new GiveUp('hopeless')));
  const look = await addJob();
  await vi.waitFor(
    async () => expect(await look()).toEqual({ state: 'failed', attemptsMade: 1, reason: 'hopeless' }),
    within,
  );
});

it('gives back a job that is cut off by the shutdown, without its attempt', async () => {
  const running = new EventEmitter();
  const begun = once(running, 'begun');
  const worker = await startScripted(async (_run, signal) => {
    running.emit('begun');
    await new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('cut off')));
    });
  });
  const look = await addJob();
  await begun;
  await worker.stop(AbortSignal.timeout(5_000));
  expect(await look()).toMatchObject({ state: 'waiting', attemptsMade: 0 });
});

it('says failed of a media whose job killed too many workers to be run again', async () => {
  const record = aRecord();
  await bench.catalog.save(record);
  await bench.queues.add(saveJob, { record, round: 0 });
  await bench.sandbox.client.hset(
    `${bench.keys.prefix}:save:${saveJob.idFor({ record, round: 0 })}`,
    'ats',
    50,
  );
  await bench.startWorker();
  await vi.waitFor(async () => expect((await bench.catalog.find(record.id))?.status).toBe('failed'), within);
});
