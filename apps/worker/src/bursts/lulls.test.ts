import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openBurstRig, soon, type BurstRig } from '../../test/support/burst-rig.js';
import type { BurstPace } from './burst-pace.js';

let rig: BurstRig;
beforeEach(async () => {
  rig = await openBurstRig();
});
afterEach(() => rig.close());

/** A lull so long after each burst. */
function lullsOf(lullMs: number) {
  return {
    took: vi.fn<BurstPace['took']>(),
    hurry: vi.fn<BurstPace['hurry']>(),
    lullMs: vi.fn<BurstPace['lullMs']>(() => lullMs),
  };
}

it('a lull leaves jobs where they are, also when the worker closes', async () => {
  const pace = lullsOf(3_000);
  await rig.add(2);
  const started = rig.startWorker({ concurrency: 8, pace });
  await soon(() => expect(pace.lullMs).toHaveBeenCalledOnce());
  await rig.add(1);
  expect(await rig.clients('bzpopmin')).toEqual([]);
  rig.letGo();
  await started.close();
  expect(await rig.counts()).toEqual({ wait: 1, active: 0, completed: 2 });
  expect(rig.errors).toEqual([]);
});

it('a lull ends with a burst of all that came meanwhile', async () => {
  const pace = lullsOf(2_000);
  await rig.add(1);
  rig.startWorker({ concurrency: 8, pace });
  await soon(() => expect(pace.lullMs).toHaveBeenCalledOnce());
  await rig.add(1);
  await rig.add(1);
  await soon(() => expect(rig.begun).toHaveLength(3));
  expect(pace.took.mock.calls.map(([jobs]) => jobs).filter((jobs) => jobs > 0)).toEqual([1, 2]);
});

it('the pace is told of jobs that somebody waits for', async () => {
  const pace = lullsOf(0);
  await rig.queue.add('job', { awaited: false });
  rig.startWorker({ concurrency: 8, pace });
  await soon(() => expect(rig.begun).toHaveLength(1));
  expect(pace.hurry).not.toHaveBeenCalled();
  await rig.queue.add('job', { awaited: true });
  await soon(() => expect(rig.begun).toHaveLength(2));
  expect(pace.hurry).toHaveBeenCalledOnce();
});
