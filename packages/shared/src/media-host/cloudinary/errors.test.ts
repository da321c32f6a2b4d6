import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createRateBudget } from './errors.js';

beforeAll(() => void vi.useFakeTimers({ now: 0, toFake: ['Date'] }));
afterAll(() => void vi.useRealTimers());

const stated = (limit: number, remaining: number, resetAt: number) => ({
  'x-featureratelimit-limit': String(limit),
  'x-featureratelimit-remaining': String(remaining),
  'x-featureratelimit-reset': new Date(resetAt).toUTCString(),
});

it.each([
  ['the time in the refusal', 'Rate Limit Exceeded. Try again on 1970-01-01 00:02:00 UTC', 120],
  ['a minute where nothing is known', 'Rate Limit Exceeded', 60],
])('waits for %s', (_case, message, seconds) => {
  expect(createRateBudget().retryAfter(message)).toBe(seconds);
});

it('waits for the last reset it saw where the refusal names no time', () => {
  const budget = createRateBudget();
  budget.read(stated(5, 1, 90_000));
  expect(budget.retryAfter('slow down')).toBe(90);
});

it('waits a minute, and keeps the budget, where plenty is left and the refusal names no time', () => {
  const budget = createRateBudget();
  budget.read(stated(500, 400, 3_000_000));
  expect(budget.retryAfter('Too many requests')).toBe(60);
  expect(budget.current()?.remaining).toBe(400);
  expect(budget.retryAfter('Try again on 1970-01-01 00:02:00 UTC')).toBe(120);
  expect(budget.current()?.remaining).toBe(0);
});
