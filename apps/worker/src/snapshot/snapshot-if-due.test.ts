import { describe, expect, it } from 'vitest';
import { isSnapshotDue } from './take-snapshot.js';

describe('a snapshot', () => {
  const day = 24 * 3_600_000;
  const now = Date.parse('2026-01-10T00:00:00.000Z');
  const ago = (ms: number): string => new Date(now - ms).toISOString();
  const last = { id: 'a', at: ago(3_600_000), records: 1, bytes: 1, changes: 5 };
  const facts = {
    snapshot: last,
    triedAt: null,
    lastFullAt: ago(2 * 3_600_000),
    changes: 6,
    keptSince: null,
  };

  it.each([
    ['never before a full run has completed', { ...facts, snapshot: null, lastFullAt: null }, 'full', false],
    ['when there is none', { ...facts, snapshot: null }, 'incremental', true],
    ['not within a day of the last one', facts, 'incremental', false],
    ['a day after the last one', { ...facts, snapshot: { ...last, at: ago(day) } }, 'incremental', true],
    [
      'not when nothing changed',
      { ...facts, changes: 5, snapshot: { ...last, at: ago(2 * day) } },
      'full',
      false,
    ],
    ['after many changes, within a day', { ...facts, changes: 200_005 }, 'incremental', true],
    ['not before there are many', { ...facts, changes: 200_004 }, 'incremental', false],
    ['after a full run', { ...facts, lastFullAt: ago(1_000) }, 'full', true],
    [
      'after a try that a wrong clock dated',
      { ...facts, snapshot: null, triedAt: ago(-7_200_000) },
      'incremental',
      true,
    ],
    ['not soon after a try', { ...facts, snapshot: null, triedAt: ago(60_000) }, 'incremental', false],
    [
      'after a full run, also soon after a try',
      { ...facts, snapshot: null, triedAt: ago(60_000) },
      'full',
      true,
    ],
  ] as const)('is due: %s', (_case, given, mode, due) => {
    expect(isSnapshotDue(given, mode, now)).toBe(due);
  });
});
