import { expect, it } from 'vitest';
import { HandBack } from '@holdfast/shared/jobs';
import { yieldToOthers } from './wait-turn.js';

it.each([
  ['just now', 0],
  ['an hour ahead, by the clock of another worker', 3_600_000],
])('waits for the share of a run that ended %s, and no longer', async (_when, aheadMs) => {
  const nowMs = Date.parse('2026-01-01T12:00:00.000Z');
  const lastRun = {
    trigger: 'upload',
    finishedAt: new Date(nowMs + aheadMs).toISOString(),
    durationMs: 100,
  };
  const waiting = yieldToOthers(
    { trigger: 'upload' } as Parameters<typeof yieldToOthers>[0],
    {
      state: { readStatus: () => Promise.resolve({ lastRun, rateLimit: null }) },
      host: { budget: () => null },
      now: () => nowMs,
    } as unknown as Parameters<typeof yieldToOthers>[1],
  );
  await expect(waiting).rejects.toBeInstanceOf(HandBack);
  await expect(waiting).rejects.toMatchObject({ delayMs: 2_000 });
});
