import { CLOCKS_DIFFER_MS } from './clock-set-back.js';

const FIRST_MS = 30_000;
const HOUR_MS = 3_600_000;
const ROUNDS_IN_FIRST_HOUR = 7;

/**
 * The number of the try that something unfinished has reached by its age: after 30 s, 1, 2, 4 … minutes, then hourly,
 * for ever. Jobs carry it in their id, so however many processes look, each try is made once. 0 = too early. What seems to be
 * of a time to come was noted by a clock that was ahead: until then it is tried hourly, by a number that no age gives.
 */
export function retryRound(nowMs: number, sinceMs: number): number {
  const ageMs = nowMs - sinceMs;
  if (ageMs < -CLOCKS_DIFFER_MS) return Math.floor(nowMs / HOUR_MS);
  if (ageMs < FIRST_MS) return 0;
  if (ageMs < HOUR_MS) return 1 + Math.floor(Math.log2(ageMs / FIRST_MS));
  return ROUNDS_IN_FIRST_HOUR + Math.floor(ageMs / HOUR_MS);
}
