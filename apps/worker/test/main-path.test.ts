import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { saveJob, verifyJob } from '@holdfast/shared/jobs';
import { aRecord } from '@holdfast/shared/testing';
import { openBench, type Bench } from './support/start-worker.js';

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
});
afterEach(() => bench.close());

const within = { interval: 20 };

it('saves and verifies an upload, and ends its intent', async () => {
  const { catalog, intents, queues } = bench;
  const record = aRecord();
  await intents.open(record.id, record.publicId, 1_000);
  await bench.startWorker();
  await intents.accept({ record, jobs: queues.jobsOf(record) });
  await vi.waitFor(async () => expect((await catalog.find(record.id))?.status).toBe('verified'), within);
  const stored = await catalog.find(record.id);
  expect(stored?.persistence).toMatchObject({ level: 'fsynced', attempts: 1 });
  expect(stored?.persistence.verifiedAt).not.toBeNull();
  expect(await intents.stale(10, 0)).toEqual([]);
});

it('saves from the job alone, when Redis lost everything else', async () => {
  const { catalog, queues } = bench;
  const record = aRecord({ tags: ['a', 'b'], category: 'x' });
  await queues.enqueueUpload(record);
  await bench.startWorker();
  await vi.waitFor(async () => expect((await catalog.find(record.id))?.status).toBe('verified'), within);
  expect(await catalog.findWithGaps([record.id])).toMatchObject([{ gaps: 0 }]);
});

it('saves again and counts the attempt when the record is not there at the read-back', async () => {
  const { catalog, queues } = bench;
  const record = aRecord();
  await queues.add(verifyJob, { record, round: 0 });
  await bench.startWorker();
  await vi.waitFor(async () => expect((await catalog.find(record.id))?.status).toBe('verified'), within);
  expect((await catalog.find(record.id))?.persistence.attempts).toBe(2);
  expect((await catalog.find(record.id))?.lastError).toBeNull();
});

it('repairs a record whose content was damaged, and one that lacks an index entry', async () => {
  const { catalog, queues, sandbox, keys } = bench;
  const damaged = aRecord();
  const unindexed = aRecord();
  await catalog.saveMany([{ record: damaged }, { record: unindexed }], null);
  const text = (await sandbox.client.get(keys.record(damaged.id))) ?? '';
  await sandbox.client.set(keys.record(damaged.id), text.replace('"a.png"', '"b.png"'));
  await sandbox.client.zrem(keys.byCategory('nature'), unindexed.id);
  expect((await catalog.find(damaged.id))?.filename).toBe('b.png');
  await queues.add(verifyJob, { record: damaged, round: 0 });
  await queues.add(verifyJob, { record: unindexed, round: 0 });
  await bench.startWorker();
  await vi.waitFor(async () => expect((await catalog.counts()).byStatus.verified).toBe(2), within);
  expect((await catalog.find(damaged.id))?.filename).toBe('a.png');
  expect(await catalog.findWithGaps([damaged.id, unindexed.id])).toMatchObject([{ gaps: 0 }, { gaps: 0 }]);
});

it('leaves a newer revision alone, whichever job comes last', async () => {
  const { catalog, queues } = bench;
  const first = aRecord();
  const second = { ...first, revision: 2, title: 'B', pushedRevision: 2 };
  await catalog.save(second);
  await queues.enqueueUpload(first);
  await bench.startWorker();
  const { verify } = queues.queues;
  await vi.waitFor(
    async () => expect(await verify.getJobState(`verify-${first.id}-1`)).toBe('completed'),
    within,
  );
  expect(await catalog.find(first.id)).toMatchObject({ revision: 2, title: 'B', status: 'saving' });
});

it('does nothing for a file that was deleted meanwhile', async () => {
  const { catalog, queues } = bench;
  const record = aRecord();
  await catalog.save(record);
  await catalog.beginDelete(record.id);
  await catalog.finishDelete(record.id);
  await queues.enqueueUpload(record);
  await bench.startWorker();
  const { verify } = queues.queues;
  await vi.waitFor(
    async () => expect(await verify.getJobState(`verify-${record.id}-1`)).toBe('completed'),
    within,
  );
  expect(await catalog.find(record.id)).toBeNull();
});

it('gives up after the last attempt, keeps the reason, and verifies when the operator retries', async () => {
  const { catalog, queues } = bench;
  const record = aRecord();
  const strict = await bench.startWorker({ DURABILITY_REQUIRED: 'replicated' });
  await queues.enqueueUpload(record);
  await vi.waitFor(async () => expect((await catalog.find(record.id))?.status).toBe('failed'), within);
  expect(await catalog.find(record.id)).toMatchObject({
    persistence: { attempts: 3 },
    lastError: { code: 'DURABILITY_TOO_LOW' },
  });
  await vi.waitFor(
    async () => expect(await queues.queues.verify.getJobState(`verify-${record.id}-1`)).toBe('failed'),
    within,
  );
  await strict.stop(AbortSignal.timeout(5_000));
  await bench.startWorker();
  const job = await queues.queues.verify.getJob(`verify-${record.id}-1`);
  await job?.retry();
  await vi.waitFor(async () => expect((await catalog.find(record.id))?.status).toBe('verified'), within);
  expect((await catalog.find(record.id))?.lastError).toBeNull();
});

it('fails a job at once whose payload is invalid', async () => {
  const { queues } = bench;
  const opts = { jobId: 'save-nonsense', attempts: 3 };
  await queues.queues.save.add(saveJob.name, { record: 'nonsense' }, opts);
  await bench.startWorker();
  await vi.waitFor(
    async () => expect(await queues.queues.save.getJobState('save-nonsense')).toBe('failed'),
    within,
  );
  expect((await queues.queues.save.getJob('save-nonsense'))?.attemptsMade).toBe(1);
});
