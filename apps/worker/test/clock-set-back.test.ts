import { expect, it, onTestFinished, vi } from 'vitest';
import { newMediaId } from '@holdfast/shared/media';
import { openBench } from './support/start-worker.js';

const within = { interval: 20 };
const DAY_MS = 24 * 3_600_000;

it('does at once what a worker put off whose clock was ahead, and nothing before its time', async () => {
  const bench = await openBench();
  onTestFinished(() => bench.close());
  const { sync } = bench.queues.queues;
  const payload = { trigger: 'upload', mode: 'incremental', dryRun: false, force: false };
  // As a worker adds them whose clock is a month ahead; and one that the host keeps waiting.
  const ahead = { timestamp: Date.now() + 30 * DAY_MS };
  await sync.add('sync', { ...payload, runId: newMediaId() }, { ...ahead, delay: 50, jobId: 'put-off' });
  await sync.add('sync', { ...payload, runId: newMediaId() }, { delay: 3_600_000, jobId: 'waits' });
  const due = () => bench.sandbox.client.zscore(bench.keys.queue('sync', 'delayed'), 'waits');
  const before = await due();
  await bench.startWorker();
  await vi.waitFor(async () => expect(await sync.getJobState('put-off')).toBe('completed'), within);
  // Else a worker that starts often would put it off each time.
  expect(await due()).toBe(before);
});

it('takes up its schedule again when its own clock is set back', async () => {
  const bench = await openBench();
  onTestFinished(() => bench.close());
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 30 * DAY_MS });
  onTestFinished(() => void vi.useRealTimers());
  const next = async () => (await bench.queues.queues.sync.getJobScheduler('auto-sync'))?.next ?? 0;
  await bench.startWorker();
  await vi.waitFor(async () => expect(await next()).toBeGreaterThan(Date.now()), within);
  vi.useRealTimers();
  // A worker looks at once when its connection is back.
  await bench.sandbox.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await vi.waitFor(async () => expect(await next()).toBeLessThan(Date.now() + DAY_MS), within);
});
