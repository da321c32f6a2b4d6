import { describe, expect, it } from 'vitest';
import { inParallel, knownBudget, pauseBeforePage, spacingOfUploadSyncs } from './host-calls.js';

const now = Date.parse('2026-01-01T10:00:00Z');
const resetAt = '2026-01-01T10:30:00.000Z';
const withLeft = (remaining: number) => ({ limit: 500, remaining, resetAt, heardAt: now });

describe('the budget of host calls', () => {
  it('lets pages follow each other while plenty is left', () => {
    expect(pauseBeforePage(null, now)).toBe(0);
    expect(pauseBeforePage(withLeft(100), now)).toBe(0);
  });

  it('spreads pages over the rest of the hour when little is left', () => {
    expect(pauseBeforePage(withLeft(85), now)).toBe(1_800_000 / 60);
  });

  it('waits for the reset rather than use the last calls', () => {
    const wait = () => pauseBeforePage(withLeft(25), now);
    expect(wait).toThrow(
      expect.objectContaining({ code: 'HOST_RATE_LIMITED', retryAfterSeconds: 1_800 }) as Error,
    );
  });

  it('forgets what it heard before the reset', () => {
    expect(pauseBeforePage(withLeft(0), Date.parse(resetAt))).toBe(0);
  });

  it('does not believe in a reset that is days away', () => {
    expect(pauseBeforePage({ ...withLeft(0), resetAt: '2026-03-01T00:00:00.000Z' }, now)).toBe(0);
  });

  it('spreads syncs after uploads early, and stops them in favour of the schedule', () => {
    expect(spacingOfUploadSyncs(withLeft(300), now)).toBe(0);
    expect(spacingOfUploadSyncs(withLeft(250), now)).toBe(1_800_000 / 100);
    expect(spacingOfUploadSyncs(withLeft(150), now)).toBe(1_800_000);
  });

  it('believes the fleet where it knows of more calls', () => {
    expect(knownBudget(withLeft(90), withLeft(80))?.remaining).toBe(80);
    expect(knownBudget(null, withLeft(80))?.remaining).toBe(80);
    const next = { limit: 500, remaining: 499, resetAt: '2026-01-01T11:30:00.000Z', heardAt: now };
    expect(knownBudget(next, withLeft(3))).toBe(next);
  });
});

it('keeps the order of the results, and never has more under way than it may', async () => {
  let running = 0;
  let most = 0;
  const double = async (item: number): Promise<number> => {
    most = Math.max(most, (running += 1));
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    return item * 2;
  };
  expect(await inParallel([1, 2, 3, 4, 5, 6], 4, double)).toEqual([2, 4, 6, 8, 10, 12]);
  expect(most).toBe(4);
});

it('begins nothing after a rejection, and rejects when what was under way has ended', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const work = async (item: number): Promise<void> => {
    begun.push(item);
    if (item === 0) throw new Error('no');
    await new Promise((resolve) => setImmediate(resolve));
    ended.push(item);
  };
  await expect(inParallel([0, 1, 2, 3, 4, 5], 3, work)).rejects.toThrow('no');
  expect({ begun, ended }).toEqual({ begun: [0, 1, 2], ended: [1, 2] });
});
