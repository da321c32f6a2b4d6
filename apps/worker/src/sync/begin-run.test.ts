import { expect, it } from 'vitest';
import { HandBack } from '@holdfast/shared/jobs';
import { beginRun, insistOnTime, untilOtherEnds, yieldToOthers } from './begin-run.js';

const HOUR_MS = 3_600_000;
const nowMs = Date.parse('2026-01-01T12:00:00.000Z');

it.each([
  ['an hour after a full one', -HOUR_MS, 'incremental'],
  ['a day after a full one', -24 * HOUR_MS, 'full'],
  ['after a full one that is dated an hour ahead', HOUR_MS, 'incremental'],
  ['after a full one that is dated a day ahead, by a clock that was wrong', 24 * HOUR_MS, 'full'],
])('a scheduled run %s (%i ms) is %s', (_, lastFull, mode) => {
  const lastFullAt = new Date(nowMs + lastFull).toISOString();
  const marks = { lastFullAt, watermark: null, lookedAt: null };
  const { run } = beginRun(
    { trigger: 'schedule', dryRun: false, force: false },
    { ...marks, lastSequence: 0, lastFullRun: null },
    { settings: { sync: { fullIntervalHours: 24 } }, now: () => nowMs } as Parameters<typeof beginRun>[2],
  );
  expect(run.mode).toBe(mode);
});

/** A sync of this trigger comes where the last run was such a one. */
const yieldAfter = (trigger: string, lastRun: { trigger: string; finishedAt: string; durationMs: number }) =>
  yieldToOthers(
    { trigger } as Parameters<typeof yieldToOthers>[0],
    { lastRun, rateLimit: null } as unknown as Parameters<typeof yieldToOthers>[1],
    { host: { budget: () => null }, now: () => nowMs } as unknown as Parameters<typeof yieldToOthers>[2],
  );

it.each([
  ['just now', 0],
  ['an hour ahead, by the clock of another worker', 3_600_000],
])('waits for the share of a run that ended %s, and no longer', (_when, aheadMs) => {
  const finishedAt = new Date(nowMs + aheadMs).toISOString();
  const waiting = () => yieldAfter('upload', { trigger: 'upload', finishedAt, durationMs: 100 });
  expect(waiting).toThrow(HandBack);
  expect(waiting).toThrow(expect.objectContaining({ delayMs: 2_000 }) as Error);
});

it.each([
  ['upload', 'manual'],
  ['upload', 'webhook'],
  ['manual', 'manual'],
])('lets a sync by %s follow at once on a run by %s', (trigger, lastTrigger) => {
  const finishedAt = new Date(nowMs).toISOString();
  expect(() => yieldAfter(trigger, { trigger: lastTrigger, finishedAt, durationMs: 100 })).not.toThrow();
});

it('asks less often whether a long run has ended', () => {
  const running = (forMs: number) =>
    ({ running: { run: { startedAt: new Date(nowMs - forMs).toISOString() } } }) as Parameters<
      typeof untilOtherEnds
    >[0];
  expect(untilOtherEnds(running(1_000), nowMs).delayMs).toBe(500);
  expect(untilOtherEnds(running(60_000), nowMs).delayMs).toBe(5_000);
});

it('waits where the host asked to, and not for a time that a clock ahead has noted', () => {
  const until = (aheadMs: number) => () => insistOnTime(new Date(nowMs + aheadMs).toISOString(), nowMs);
  expect(until(3_600_000)).toThrow(expect.objectContaining({ delayMs: 3_600_000 }) as Error);
  expect(until(0)).not.toThrow();
  expect(until(24 * 3_600_000)).not.toThrow();
});
