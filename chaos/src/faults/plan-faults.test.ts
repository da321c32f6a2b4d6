import { expect, it } from 'vitest';
import { faultNames } from './fault-kinds.js';
import { planFaults } from './plan-faults.js';

it('plans the same for the same seed, and something else for another', () => {
  const options = { seed: 7, seconds: 60, everyMs: 1_500 };
  expect(planFaults(options)).toEqual(planFaults(options));
  expect(planFaults({ ...options, seed: 8 })).not.toEqual(planFaults(options));
});

it('has every kind in ten minutes, over a hundred faults, and seldom throws everything away', () => {
  const plan = planFaults({ seed: 7, seconds: 600, everyMs: 3_000 });
  expect(new Set(plan.map(({ kind }) => kind))).toEqual(new Set(faultNames));
  expect(plan.length).toBeGreaterThan(150);
  const wipes = plan.filter(({ kind }) => kind === 'wipe redis');
  expect(wipes.length).toBeLessThanOrEqual(4);
  expect(plan.every(({ atMs }) => atMs < 588_000)).toBe(true);
});
