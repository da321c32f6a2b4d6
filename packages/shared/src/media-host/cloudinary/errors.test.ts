import { expect, it } from 'vitest';
import { createRateBudget } from './errors.js';

it.each([
  ['the time in the refusal', 'Rate Limit Exceeded. Try again on 1970-01-01 00:02:00 UTC', 120],
  ['a minute where nothing is known', 'Rate Limit Exceeded', 60],
])('waits for %s', (_case, message, seconds) => {
  expect(createRateBudget(() => 0).retryAfter(message)).toBe(seconds);
});

it('waits for the last reset it saw where the refusal names no time', () => {
  const budget = createRateBudget(() => 0);
  budget.seen({ limit: 5, remaining: 1, resetAt: new Date(90_000) });
  expect(budget.retryAfter('slow down')).toBe(90);
});

it('waits a minute, and keeps the budget, where plenty is left and the refusal names no time', () => {
  const budget = createRateBudget(() => 0);
  budget.seen({ limit: 500, remaining: 400, resetAt: new Date(3_000_000) });
  expect(budget.retryAfter('Too many requests')).toBe(60);
  expect(budget.current()?.remaining).toBe(400);
  expect(budget.retryAfter('Try again on 1970-01-01 00:02:00 UTC')).toBe(120);
  expect(budget.current()?.remaining).toBe(0);
});
