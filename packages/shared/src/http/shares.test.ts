import { describe, expect, it } from 'vitest';
import { createShares, type Holding } from './shares.js';

/** Takes places and tells which of them were given up. */
function table(places: number) {
  let time = 0;
  const given: string[] = [];
  const shares = createShares(places, () => time);
  return {
    shares,
    given,
    pass: (ms: number) => (time += ms),
    take: (client: string, name = client, more: Partial<Holding> = {}) =>
      shares.take(client, { giveUp: () => given.push(name), ...more }),
  };
}

it('gives a client all places while no other client needs one, and no more', () => {
  const { shares, take, given } = table(3);
  const leaves = [take('a'), take('a'), take('a')];
  expect(leaves).not.toContain(null);
  expect(take('a')).toBeNull();
  leaves[0]?.();
  leaves[0]?.();
  expect(shares.running).toBe(2);
  expect(take('a')).not.toBeNull();
  expect(given).toEqual([]);
});

describe('where one client has all places', () => {
  it('gives others their part, the slowest of the most first', () => {
    const { shares, take, given } = table(4);
    for (const [n, pace] of [30, 10, 20, 40].entries()) take('a', `a${String(n)}`, { pace: () => pace });
    expect(shares.admits('new')).toBe(true);
    expect(take('b')).not.toBeNull();
    expect(take('b')).not.toBeNull();
    expect(given).toEqual(['a1', 'a2']);
    expect(take('b')).toBeNull();
    expect(shares.running).toBe(4);
  });

  it('gives up what came first where the pace is unknown', () => {
    const { take, given } = table(3);
    for (const name of ['first', 'second', 'third']) take('a', name);
    take('b');
    expect(given).toEqual(['first']);
  });

  it('ends nothing while no client waits for a place, and keeps the next places free instead', () => {
    const { take, given } = table(4);
    const leaves = Array.from({ length: 4 }, () => take('a', 'a', { pace: () => Infinity }));
    expect(take('b')).toBeNull();
    leaves[0]?.();
    expect(take('a')).toBeNull();
    expect(take('b')).not.toBeNull();
    expect(given).toEqual([]);
  });

  it('keeps some free for others for a while after they have met', () => {
    const { take, given, pass } = table(8);
    const leaves = Array.from({ length: 8 }, () => take('a'));
    take('b')?.();
    expect(given).toHaveLength(1);
    expect(take('a')).toBeNull();
    expect(take('b')).not.toBeNull();
    leaves.at(-1)?.();
    pass(10_000);
    expect(take('a')).not.toBeNull();
  });

  it('keeps some free while others use them, and so does not end places again and again', () => {
    const { take, given, pass } = table(8);
    for (let count = 0; count < 8; count += 1) take('a');
    for (let count = 0; count < 10; count += 1) {
      take('b')?.();
      expect(take('a')).toBeNull();
      pass(6_000);
    }
    expect(given).toHaveLength(1);
    pass(10_000);
    expect(take('a')).not.toBeNull();
  });
});

it('is full where every client holds one', () => {
  const { shares, take } = table(2);
  take('a');
  take('b');
  expect(shares.admits('new')).toBe(false);
  expect(take('c')).toBeNull();
});

it('gives up slow holders for any client', () => {
  const { shares, take, given } = table(2);
  take('a', 'quick', { crawls: () => false });
  take('a', 'crawling', { crawls: () => true });
  expect(shares.admits('new')).toBe(true);
  expect(take('a', 'new')).not.toBeNull();
  expect(given).toEqual(['crawling']);
});
