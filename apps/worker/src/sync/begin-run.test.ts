import { expect, it } from 'vitest';
import { beginRun } from './begin-run.js';

const HOUR_MS = 3_600_000;
const now = Date.parse('2026-11-28T12:00:00.000Z');

it.each([
  ['an hour after a full one', -HOUR_MS, 'incremental'],
  ['a day after a full one', -24 * HOUR_MS, 'full'],
  ['after a full one that is dated an hour ahead', HOUR_MS, 'incremental'],
  ['after a full one that is dated a day ahead, by a clock that was wrong', 24 * HOUR_MS, 'full'],
])('a scheduled run %s (%i ms) is %s', (_, lastFull, mode) => {
  const { run } = beginRun({
    payload: { trigger: 'schedule', dryRun: false, force: false },
    marks: { lastFullAt: new Date(now + lastFull).toISOString(), watermark: null, lookedAt: null },
    lastSequence: 0,
    lastListed: null,
    fullIntervalHours: 24,
    nowMs: now,
  });
  expect(run.mode).toBe(mode);
});
