import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import { GiveUp, saveJob } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/foundation/logging';
import type { MediaRecord } from '@holdfast/shared/media';
import { closeRedis, connectRedis } from '@holdfast/shared/redis';
import { aRecord } from '@holdfast/shared/testing';
import { createWorker, type QueueWorker } from '../src/create-worker.js';
import { createNoteFailure, createRunJob, type NoteFailure } from '../src/job-run/run-job.js';
import { openBench, type Bench } from './support/start-worker.js';

let bench: Bench;
const closeFirst: (() => Promise<void>)[] = [];
/** What the records were told of failures, in order. */
let told: { code: string; attempt: number; final: boolean }[];
beforeEach(async () => {
  told = [];
  bench = await openBench();
});
afterEach(async () => {
  for (const close of closeFirst.splice(0)) await close();
  await bench.close();
});

/** A worker of the save queue that runs and notes as ours do, and saves as the test says. */
async function startSaving(save: () => Promise<void>): Promise<QueueWorker> {
  const connection = connectRedis(bench.settings.redis.connection, 'queue', silentLogger);
  const write = createNoteFailure(bench.catalog);
  const noteFailure: NoteFailure = async (failure) => {
    told.push({ code: failure.error.code, attempt: failure.attempt, final: failure.final });
    await write(failure);
  };
  const none = (): Promise<never> => Promise.reject(new Error('called'));
  const worker = createWorker({
    queue: 'save',
    connection,
    prefix: bench.keys.prefix,
    concurrency: 1,
    cancelAfterMs: 0,
    runJob: createRunJob({
      handlers: { save, verify: none, push: none, remove: none, refresh: none, sync: none },
      noteFailure,
      metrics: { count: () => undefined },
      log: silentLogger,
    }),
    noteFailure,
    log: silentLogger,
  });
  await worker.start();
  closeFirst.push(async () => {
    await worker.stop(AbortSignal.timeout(2_000));
    await closeRedis(connection);
  });
  return worker;
}

interface ToSave {
  record: MediaRecord;
  id: string;
  jobState: () => Promise<string | undefined>;
}

/** A media in the catalog whose save job waits. */
async function toSave(): Promise<ToSave> {
  const record = aRecord();
  await bench.catalog.save(record);
  await bench.queues.add(saveJob, { record, round: 0 });
  const id = saveJob.idFor({ record, round: 0 });
  return { record, id, jobState: async () => (await bench.queues.queues.save.getJob(id))?.getState() };
}

const refused = (): HoldfastError => new HoldfastError('HOST_REJECTED', 'the host said no');

it.each([
  ['was tried in vain', refused, [1, 2, 3]],
  ['gave up', () => new GiveUp('hopeless', { cause: refused() }), [1]],
])('is what the media says whose job %s, not that a worker was lost', async (_how, error, attempts) => {
  const worker = await startSaving(() => Promise.reject(error()));
  const { record, jobState } = await toSave();
  await vi.waitFor(async () => expect(await jobState()).toBe('failed'));
  // Its stop waits for what is still to be told.
  await worker.stop(AbortSignal.timeout(5_000));
  const last = attempts.length;
  expect(told).toEqual(
    attempts.map((attempt) => ({ code: 'HOST_REJECTED', attempt, final: attempt === last })),
  );
  expect(await bench.catalog.find(record.id)).toMatchObject({
    status: 'failed',
    lastError: { code: 'HOST_REJECTED', message: 'the host said no' },
    persistence: { attempts: last },
  });
});

it('is no end where the job ran and Redis did not take its end: it runs again, and no worker was lost', async () => {
  const { record, id, jobState } = await toSave();
  const children = `${bench.keys.prefix}:save:${id}:dependencies`;
  let runs = 0;
  await startSaving(async () => {
    runs += 1;
    // The script that stores the end of a job looks first whether all its children have ended, and fails at what is no set.
    if (runs === 1) await bench.sandbox.client.set(children, 'no set');
    else await bench.sandbox.client.del(children);
  });
  await vi.waitFor(async () => expect(await jobState()).toBe('completed'));
  await vi.waitFor(() => expect(told).toHaveLength(1));
  expect(told[0]).toMatchObject({ final: false });
  expect(told[0]?.code).not.toBe('WORKER_LOST');
  expect(runs).toBe(2);
  expect((await bench.catalog.find(record.id))?.status).toBe('saving');
});

it('is noted in a media whose edit the host refused, which stays what it was', async () => {
  const record = aRecord();
  await bench.catalog.save(record);
  await bench.catalog.markVerified('fsynced', new Date(), [{ id: record.id, revision: 1, attempts: 1 }]);
  const payload = { id: record.id, revision: 1, round: 0 };
  await createNoteFailure(bench.catalog)({
    name: 'push',
    payload,
    attempt: 3,
    final: true,
    error: refused(),
  });
  expect(await bench.catalog.find(record.id)).toMatchObject({
    status: 'verified',
    lastError: { code: 'HOST_REJECTED' },
  });
});
