import { expect, it } from 'vitest';
import { HandBack } from '@holdfast/shared/jobs';
import { insistOnTime, untilOtherEnds, yieldToOthers } from './wait-turn.js';

const nowMs = Date.parse('2026-01-01T12:00:00.000Z');

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
    ({ running: { startedAt: new Date(nowMs - forMs).toISOString() } }) as Parameters<
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
