import { expect, it, onTestFinished, vi } from 'vitest';
import { aRecord } from '@holdfast/shared/testing';
import { createMediaWatch } from './media-watch.js';

it('rests after a look for longer than it took, so that no number of followers keeps the process busy', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  let looks = 0;
  const findStored = async (ids: readonly string[]): Promise<null[]> => {
    looks += 1;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return ids.map(() => null);
  };
  const findTombstoned = (): Promise<Set<string>> => Promise.resolve(new Set());
  const watch = createMediaWatch({ catalog: { findStored, findTombstoned }, deferred: { find: () => null } });
  const stop = watch.follow(aRecord(), () => undefined);
  await vi.advanceTimersByTimeAsync(6_000);
  stop();
  expect(looks).toBeGreaterThan(5);
  expect(looks).toBeLessThanOrEqual(10);
});
