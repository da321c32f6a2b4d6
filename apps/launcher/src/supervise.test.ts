import { expect, it } from 'vitest';
import { restartDelayMs } from './supervise.js';

it('doubles the waiting time and stops at the limit', () => {
  const times = [1, 2, 3, 4, 5, 6, 7, 8, 1_000].map(restartDelayMs);
  expect(times).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]);
});
