import { expect, it } from 'vitest';
import { createClockSetBack } from './clock-set-back.js';

it('tells once of a clock that was set back, not of one that was set forward or that drifts', () => {
  let [wall, steady] = [1_000_000_000, 0];
  const pass = (wallMs: number, steadyMs: number): void => {
    wall += wallMs;
    steady += steadyMs;
  };
  const isSetBack = createClockSetBack(
    () => wall,
    () => steady,
  );
  pass(20_000, 20_000);
  expect(isSetBack()).toBe(false);
  pass(7_200_000, 20_000);
  expect(isSetBack()).toBe(false);
  pass(-7_160_000, 20_000);
  expect(isSetBack()).toBe(true);
  pass(20_000, 20_000);
  expect(isSetBack()).toBe(false);
  pass(-30_000, 20_000);
  expect(isSetBack()).toBe(false);
});
