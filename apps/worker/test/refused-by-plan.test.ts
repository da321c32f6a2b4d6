import { expect, it, onTestFinished, vi } from 'vitest';
import type { MediaRecord } from '@holdfast/shared/media';
import { aRecord, startManagedRedis, type ManagedService } from '@holdfast/shared/testing';
import { openBench } from './support/start-worker.js';

const WINDOW_MS = 6_000;

interface Case {
  refusing: Partial<ManagedService>;
  serving: Partial<ManagedService>;
  /** In six seconds, six seconds after the first. A loop that does not rest sends as many in a hundredth of a second. */
  atMost: number;
}

const quota: Case = {
  refusing: { quota: { left: 0, error: 'ERR max requests limit exceeded. Limit: 500000, Usage: 500000.' } },
  serving: { quota: null },
  atMost: 30,
};

/** Nothing happens until then: what does not is measured. */
async function afterMs(ms: number): Promise<void> {
  const until = performance.now() + ms;
  await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(until), { interval: 100 });
}

it.each<[string, 'starts' | 'runs', Case]>([
  ['no more commands', 'starts', quota],
  ['no more commands', 'runs', quota],
  [
    'not even a greeting',
    'starts',
    // Nine connections, each of which greets with five commands.
    { ...quota, refusing: { quota: { left: 0, error: 'ERR what nobody knows', free: [] } }, atMost: 120 },
  ],
  [
    'no connection',
    'starts',
    {
      refusing: { connections: { limit: 0, error: 'ERR max number of clients reached' } },
      serving: { connections: null },
      atMost: 30,
    },
  ],
  [
    'no writes',
    'runs',
    { refusing: { full: 'ERR DB capacity quota exceeded' }, serving: { full: null }, atMost: 30 },
  ],
])('rests ever longer while Redis takes %s, and goes on by itself when it %s', async (_what, when, given) => {
  const redis = await startManagedRedis();
  onTestFinished(() => redis.close());
  const bench = await openBench({}, [], undefined, redis.server);
  onTestFinished(() => bench.close());
  const start = () => bench.startWorker({ REDIS_URL: redis.url });
  const verified = async (record: MediaRecord) =>
    vi.waitFor(async () => expect((await bench.catalog.find(record.id))?.status).toBe('verified'));
  if (when === 'runs') {
    await start();
    const first = aRecord();
    await bench.upload(first);
    await verified(first);
  }
  await redis.configure(given.refusing);
  const record = aRecord();
  // A server that is full takes nothing from the bench either, which asks it without the service in between.
  const isFull = given.refusing.full !== undefined;
  if (!isFull) await bench.upload(record);
  if (when === 'starts') await start();
  await vi.waitFor(() => expect(redis.refused() + redis.commands()).toBeGreaterThan(3));
  await afterMs(WINDOW_MS);
  redis.resetCounts();
  await afterMs(WINDOW_MS);
  expect(redis.commands() + redis.refused()).toBeLessThan(given.atMost);
  const servesAt = performance.now();
  await redis.configure(given.serving);
  if (isFull) await bench.upload(record);
  await verified(record);
  expect(performance.now() - servesAt).toBeLessThan(60_000);
  expect((await bench.catalog.find(record.id))?.persistence.attempts).toBe(1);
});
