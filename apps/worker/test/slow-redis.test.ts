import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import type { MediaRecord } from '@holdfast/shared/media';
import { aRecord, startFaultProxy } from '@holdfast/shared/testing';
import { openBench, type Bench } from './support/start-worker.js';

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
});
afterEach(() => bench.close());

/** As uploads are: in the catalog, with their jobs. */
async function accepted(count: number): Promise<MediaRecord[]> {
  const records = Array.from({ length: count }, () => aRecord());
  for (const record of records) {
    await bench.intents.accept({ record, committed: true, jobs: bench.queues.jobsOf(record) });
  }
  return records;
}
const stored = async (records: readonly MediaRecord[]) =>
  (await bench.catalog.findStored(records.map(({ id }) => id))).map((one) => one?.record);
const untilVerified = (records: readonly MediaRecord[]) =>
  vi.waitFor(
    async () =>
      expect((await stored(records)).map((record) => record?.status)).toEqual(records.map(() => 'verified')),
    { interval: 100 },
  );

/** No command of ours waits longer, so some have failed by then. */
async function outlastEveryCommand(): Promise<void> {
  const until = performance.now() + 6_000;
  await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(until), { interval: 100 });
}

it.each([
  ['works, slower, when Redis takes a second for each answer', 1_000, true],
  ['waits when Redis takes ten seconds for each answer', 10_000, false],
])('%s, and uses up no attempt', async (_name, delayMs, works) => {
  const line = await startFaultProxy(bench.sandbox.port);
  onTestFinished(() => line.close());
  await bench.startWorker({ REDIS_URL: `redis://127.0.0.1:${String(line.port)}` });
  await untilVerified(await accepted(1));
  line.set({ kind: 'delay', ms: delayMs / 2 });
  const records = await accepted(5);
  await (works ? untilVerified(records) : outlastEveryCommand());
  line.set({ kind: 'pass' });
  await untilVerified(records);
  expect((await stored(records)).map((record) => record?.persistence.attempts)).toEqual([1, 1, 1, 1, 1]);
});
