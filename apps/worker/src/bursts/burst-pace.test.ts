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
])('after a burst of %i jobs there is a lull of %i ms', (jobs, lullMs) => {
  if (jobs > 0) pace.took(jobs);
  expect(pace.lullMs()).toBe(lullMs);
});

it('counts the lull from the begin of the burst, all its takes together', () => {
  pace.took(2);
  now += 4;
  pace.took(3);
  now += 10;
  expect(pace.lullMs()).toBe(16);
});

it.each([
  ['slowly', 10, 40, 40],
  ['at the pace of a large burst', 20, 40, 40],
  ['twice as fast', 40, 40, 20],
  ['four times as fast', 80, 40, 10],
])('is shorter where jobs come faster: %s', (_how, jobs, withinMs, lullMs) => {
  pace.took(8);
  pace.lullMs();
  now += withinMs;
  pace.took(jobs / 2);
  pace.took(jobs / 2);
  expect(pace.lullMs()).toBe(lullMs);
});

it('has none left after a burst that took longer', () => {
  pace.took(20);
  now += 60;
  expect(pace.lullMs()).toBe(0);
});

it('has none while somebody waits, and one after the next burst', () => {
  pace.took(8);
  pace.hurry();
  expect(pace.lullMs()).toBe(0);
  now += 100;
  pace.took(8);
  expect(pace.lullMs()).toBe(40);
});

it('has one lull for each burst', () => {
  pace.took(8);
  expect([pace.lullMs(), pace.lullMs()]).toEqual([40, 0]);
});
