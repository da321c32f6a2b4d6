import { beforeEach, expect, it } from 'vitest';
import { createBurstPace, type BurstPace } from './burst-pace.js';

let now: number;
let pace: BurstPace;

beforeEach(() => {
  now = 1_000;
  pace = createBurstPace(() => now);
});

it.each([
  [0, 0],
  [1, 0],
  [2, 0],
  [3, 18],
  [5, 30],
  [7, 40],
  [64, 40],
])('after a burst of %i jobs it rests %i ms', (jobs, restMs) => {
  if (jobs > 0) pace.took(jobs);
  expect(pace.restMs()).toBe(restMs);
});

it('counts the rest from the begin of the burst, all its takes together', () => {
  pace.took(2);
  now += 4;
  pace.took(3);
  now += 10;
  expect(pace.restMs()).toBe(16);
});

it('has no rest left after a burst that took longer', () => {
  pace.took(20);
  now += 60;
  expect(pace.restMs()).toBe(0);
});

it('does not rest while somebody waits, and does after the next burst', () => {
  pace.took(8);
  pace.hurry();
  expect(pace.restMs()).toBe(0);
  pace.took(8);
  expect(pace.restMs()).toBe(40);
});

it('does not rest twice for one burst', () => {
  pace.took(8);
  now += 40;
  pace.restMs();
  now += 1;
  expect(pace.restMs()).toBe(0);
});
