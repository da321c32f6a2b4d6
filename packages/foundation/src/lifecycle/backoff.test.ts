import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createBackoff } from './backoff.js';

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(0);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it('rests for twice as long after each failure, up to half a minute, and shortly again after a success', () => {
  const backoff = createBackoff();
  const rests = () => Array.from({ length: 7 }, () => backoff.nextMs());
  expect(rests()).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  backoff.reset();
  expect(backoff.nextMs()).toBe(1_000);
});

it('spreads longer rests, and never tries more than once a second', () => {
  vi.spyOn(Math, 'random').mockReturnValue(1);
  const backoff = createBackoff();
  expect([backoff.nextMs(), backoff.nextMs()]).toEqual([1_000, 1_600]);
});

it('counts failures that meet while it rests as one', async () => {
  const backoff = createBackoff();
  const over = vi.fn<() => void>();
  for (let failure = 0; failure < 50; failure += 1) void backoff.rest().then(over);
  await vi.advanceTimersByTimeAsync(999);
  expect([over.mock.calls.length, backoff.isResting()]).toEqual([0, true]);
  await vi.advanceTimersByTimeAsync(1);
  expect([over.mock.calls.length, backoff.isResting()]).toEqual([50, false]);
  expect(backoff.nextMs()).toBe(2_000);
});

it('ends a rest where a try may succeed now', async () => {
  const backoff = createBackoff();
  const rest = backoff.rest();
  backoff.reset();
  await rest;
  expect([vi.getTimerCount(), backoff.isResting()]).toEqual([0, false]);
});

it('lets go of one that stops, and of no other', async () => {
  const backoff = createBackoff();
  const stop = new AbortController();
  const stopped = backoff.rest(stop.signal);
  stop.abort();
  await stopped;
  expect(backoff.isResting()).toBe(true);
  await backoff.rest(stop.signal);
});
