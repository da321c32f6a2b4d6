import { EventEmitter, once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import { createBackoff } from '@holdfast/foundation/lifecycle';
import type { Catalog } from '@holdfast/shared/catalog';
import type { MediaRecord } from '@holdfast/shared/media';
import { HandBack, pushJob, saveJob } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/foundation/logging';
import { closeRedis, connectRedis } from '@holdfast/shared/redis';
import { aRecord, proofOf } from '@holdfast/shared/testing';
import { createWorker, type QueueWorker } from '../src/create-worker.js';
import { createJobRunner, type JobContext, type JobHandlers } from '../src/run-job.js';
import { openBench, type Bench } from './support/start-worker.js';

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
  noted.length = 0;
  counted.length = 0;
});
const closeFirst: (() => Promise<void>)[] = [];
type Noted = Parameters<Catalog['noteFailure']>[0];
/** The failures that were noted in records, in order. */
const noted: Noted[] = [];
/** What was reported to the metrics. */
const counted: string[] = [];
const metrics = { count: (_name: string, outcome: string): void => void counted.push(outcome) };
afterEach(async () => {
  for (const close of closeFirst.splice(0)) await close();
  await bench.close();
});

const within = { interval: 20 };

/** One handler for whatever comes. */
const everyJob = (handler: (payload: unknown, context: JobContext) => Promise<void>): JobHandlers => ({
  save: handler,
  verify: handler,
  push: handler,
  remove: handler,
  refresh: handler,
  sync: handler,
});

/** A worker of the save queue that does what the test says instead of our handlers. */
async function startScripted(
  work: (run: number, signal: AbortSignal) => Promise<void>,
  onFailure: (failure: Noted) => Promise<void> = () => Promise.resolve(),
): Promise<QueueWorker> {
  let run = 0;
  const handlers = everyJob((_payload, { signal }) => work((run += 1), signal));
  const catalog: Pick<Catalog, 'noteFailure'> = {
    noteFailure: async (failure) => {
      noted.push(failure);
      await onFailure(failure);
      return bench.catalog.noteFailure(failure);
    },
  };
  const connection = connectRedis(bench.settings.redis.connection, 'queue', silentLogger);
  const worker = createWorker({
    queue: 'save',
    connection,
    prefix: bench.keys.prefix,
    concurrency: 4,
    cancelAfterMs: 0,
    jobs: createJobRunner({ handlers, catalog, metrics, log: silentLogger }),
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

it('hands back a job that is cut off by the shutdown, without its attempt', async () => {
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

it('lets a job end as the record and the metrics say, even when it is cut off meanwhile', async () => {
  let signal = new AbortController().signal;
  let stopped: Promise<void> | undefined;
  const worker = await startScripted(
    (_run, ofRun) => {
      signal = ofRun;
      return Promise.reject(new HoldfastError('HOST_REJECTED', 'the host said no'));
    },
    async ({ attempts }) => {
      if (attempts < 3) return;
      stopped = worker.stop(AbortSignal.timeout(5_000));
      await once(signal, 'abort');
    },
  );
  const look = await addJob();
  await vi.waitFor(() => expect(stopped).toBeDefined(), within);
  await stopped;
  expect(await look()).toEqual({ state: 'failed', attemptsMade: 3, reason: 'the host said no' });
  expect(noted.at(-1)).toMatchObject({ attempts: 3 });
  expect(counted).toEqual(['attempt_failed', 'attempt_failed', 'failed']);
});

it('begins other jobs beside one that takes long, also after a lone one', async () => {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let runs = 0;
  await startScripted(async (run) => {
    runs = run;
    if (run === 1) await released;
  });
  const first = await addJob();
  await vi.waitFor(() => expect(runs).toBe(1), within);
  for (const revision of [2, 3]) await bench.queues.add(pushJob, { id: 'x', revision, round: 0 });
  await vi.waitFor(() => expect(runs).toBe(3), within);
  expect(await first()).toMatchObject({ state: 'active' });
  release();
  await vi.waitFor(async () => expect(await first()).toMatchObject({ state: 'completed' }), within);
});

it('may be handed back any number of times', async () => {
  await startScripted((run) => (run < 60 ? Promise.reject(new HandBack('not now')) : Promise.resolve()));
  const look = await addJob();
  await vi.waitFor(
    async () => expect(await look()).toMatchObject({ state: 'completed', attemptsMade: 1 }),
    within,
  );
});

it('says failed of a file whose job lost too many workers to be run again, and why', async () => {
  const record = aRecord();
  await bench.catalog.save(record);
  await bench.queues.add(saveJob, { record, round: 0 });
  const { client } = bench.sandbox;
  const queue = `${bench.keys.prefix}:save`;
  const id = saveJob.idFor({ record, round: 0 });
  // Taken by a worker that died, as were fifty before it, and looked at once.
  await client.lmove(`${queue}:wait`, `${queue}:active`, 'LEFT', 'RIGHT');
  await client.hset(`${queue}:${id}`, 'stc', 50);
  await client.sadd(`${queue}:stalled`, id);
  const worker = await startScripted(() => Promise.reject(new Error('was run')));
  expect(await worker.recoverStalled()).toEqual([id]);
  await vi.waitFor(() => expect(noted).toHaveLength(1), within);
  expect(noted[0]).toMatchObject({ id: record.id, final: true, error: { code: 'WORKER_LOST' } });
});

interface ToSave {
  record: MediaRecord;
  id: string;
  jobState: () => Promise<string | undefined>;
}

/** A file in the catalog whose save job waits. */
async function toSave(): Promise<ToSave> {
  const record = aRecord();
  await bench.catalog.save(record);
  await bench.queues.add(saveJob, { record, round: 0 });
  const id = saveJob.idFor({ record, round: 0 });
  return { record, id, jobState: async () => (await bench.queues.queues.save.getJob(id))?.getState() };
}

const refused = (): HoldfastError => new HoldfastError('HOST_REJECTED', 'the host said no');

it('notes in the record why its job was tried in vain, not that a worker was lost', async () => {
  const worker = await startScripted(() => Promise.reject(refused()));
  const { record, jobState } = await toSave();
  await vi.waitFor(async () => expect(await jobState()).toBe('failed'));
  await worker.stop(AbortSignal.timeout(5_000));
  expect(noted.map(({ error: { code }, attempts, final }) => ({ code, attempts, final }))).toEqual(
    [1, 2, 3].map((attempts) => ({ code: 'HOST_REJECTED', attempts, final: attempts === 3 })),
  );
  expect(await bench.catalog.find(record.id)).toMatchObject({
    status: 'failed',
    lastError: { code: 'HOST_REJECTED', message: 'the host said no' },
    persistence: { attempts: 3 },
  });
});

it('runs a job again whose end Redis did not store, and calls neither file failed nor worker lost', async () => {
  const { record, id, jobState } = await toSave();
  const children = `${bench.keys.prefix}:save:${id}:dependencies`;
  let runs = 0;
  await startScripted(async (run) => {
    runs = run;
    // The script that stores the end of a job looks first whether all its children have ended, and fails where the key is not a set.
    if (run === 1) await bench.sandbox.client.set(children, 'no set');
    else await bench.sandbox.client.del(children);
  });
  await vi.waitFor(async () => expect(await jobState()).toBe('completed'));
  expect(noted).toEqual([]);
  expect(runs).toBe(2);
  expect((await bench.catalog.find(record.id))?.status).toBe('saving');
});

it('leaves a file verified whose edit the host refused, and notes why', async () => {
  const record = aRecord();
  await bench.catalog.save(record);
  await bench.catalog.markVerified('fsynced', new Date(), [proofOf(record)]);
  await startScripted(() => Promise.reject(refused()));
  await bench.queues.add(pushJob, { id: record.id, revision: 1, round: 0 });
  await vi.waitFor(async () => expect(await bench.queues.queues.save.getFailedCount()).toBe(1), within);
  expect(await bench.catalog.find(record.id)).toMatchObject({
    status: 'verified',
    lastError: { code: 'HOST_REJECTED' },
  });
});

describe.each([
  ['a name that nobody knows', 'nobody', {}, /no job named "nobody"/],
  ['data that cannot be read', 'push', { nonsense: true }, /payload of a push job is not valid/],
])('a job with %s', (_what, name, data, reason) => {
  it('fails at once, and is logged', async () => {
    const said: string[] = [];
    const tell = (event: string): void => void said.push(event);
    const log = { ...silentLogger, error: tell };
    const none = (): Promise<never> => Promise.reject(new Error('called'));
    const runner = createJobRunner({
      handlers: everyJob(none),
      catalog: { noteFailure: none },
      metrics,
      log: { ...log, child: () => log },
    });
    const job = await bench.queues.queues.save.add(name, data);
    const { signal } = new AbortController();
    const run = runner.run(job, { token: '', signal, rests: createBackoff() });
    await expect(run).rejects.toMatchObject({
      name: 'UnrecoverableError',
      message: expect.stringMatching(reason),
    });
    expect(said).toEqual(['job.failed']);
  });
});
