import { Redis } from 'ioredis';
import { expect, it, onTestFinished, vi } from 'vitest';
import { openBench, type Bench } from './support/start-worker.js';

/** What the watch asks with one command, and nobody else with so many keys. */
const KEYS_OF_A_LOOK = 12;

/** How often the watch has looked since now, as the server saw it. */
async function countLooks({ sandbox }: Bench): Promise<() => number> {
  let looks = 0;
  const client = new Redis(sandbox.url);
  const monitor = await client.monitor();
  onTestFinished(() => {
    monitor.disconnect();
    client.disconnect();
  });
  monitor.on('monitor', (_time: string, [name = '', ...keys]: string[], source: string) => {
    if (name.toLowerCase() === 'exists' && source !== 'lua' && keys.length > KEYS_OF_A_LOOK) looks += 1;
  });
  return () => looks;
}

/** As a failover or a kill leaves them: in hand, though nobody has it; or waiting for a wake-up that nobody will get. */
it.each([
  ['in hand', ({ sandbox, keys }: Bench) => sandbox.client.lpush(keys.queue('verify', 'active'), 'x')],
  [
    'delayed',
    ({ sandbox, keys }: Bench) =>
      sandbox.client.zadd(keys.queue('save', 'delayed'), Number.MAX_SAFE_INTEGER, 'x'),
  ],
  // By a heartbeat that is not stale: nothing to sweep yet.
  ['cut off a moment ago', ({ intents }: Bench) => intents.open('01J', 'holdfast/01J', 1_000)],
] as const)('the watch looks again soon while an upload or a job is %s', async (_case, leave) => {
  const bench = await openBench();
  onTestFinished(() => bench.close());
  await leave(bench);
  const looks = await countLooks(bench);
  await bench.startWorker();
  // One at the start, one within 20 s and the next one 20 s later, without what this is about.
  await vi.waitFor(() => expect(looks()).toBeGreaterThanOrEqual(3), { interval: 100, timeout: 19_000 });
});
