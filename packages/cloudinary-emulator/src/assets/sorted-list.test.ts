import { expect, test } from 'vitest';
import { sortedList } from './sorted-list.js';

const ascending = (a: number, b: number) => a - b;

test('stays equal to a plainly sorted array through thousands of inserts and removals', () => {
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  const model = new Set(Array.from({ length: 3000 }, () => random(20_000)));
  const list = sortedList([...model], ascending);
  for (let step = 0; step < 12_000; step += 1) {
    const value = random(20_000);
    if (random(100) < (step < 6000 ? 70 : 20)) {
      if (!model.has(value)) list.insert(value);
      model.add(value);
    } else {
      list.remove(value);
      model.delete(value);
    }
  }
  const expected = [...model].toSorted(ascending);
  expect(list.length).toBe(expected.length);
  expect([...list.from(() => false)]).toEqual(expected);
  expect([...list.downFrom(() => true)]).toEqual(expected.toReversed());
  for (const limit of [0, 1, 10_000, 19_999, 20_001]) {
    expect([...list.from((value) => value < limit)]).toEqual(expected.filter((value) => value >= limit));
    expect([...list.downFrom((value) => value < limit)]).toEqual(
      expected.filter((value) => value < limit).toReversed(),
    );
  }
});

test('can become empty and full again', () => {
  const list = sortedList<number>([], ascending);
  list.remove(1);
  expect([...list.from(() => true), ...list.downFrom(() => true)]).toEqual([]);
  for (let value = 0; value < 5000; value += 1) list.insert(value);
  for (let value = 0; value < 5000; value += 1) list.remove(value);
  expect([list.length, ...list.from(() => false)]).toEqual([0]);
  list.insert(3);
  expect([...list.downFrom(() => true)]).toEqual([3]);
});

test('finds its place among very many items in a few comparisons', () => {
  let comparisons = 0;
  const counting = (a: number, b: number) => {
    comparisons += 1;
    return a - b;
  };
  const list = sortedList(
    Array.from({ length: 500_000 }, (_, n) => 2 * n),
    counting,
  );
  comparisons = 0;
  list.insert(500_001);
  list.remove(500_002);
  let asked = 0;
  const [value] = list.from((other) => (asked += 1) > 0 && other < 500_001);
  expect(value).toBe(500_001);
  expect(comparisons).toBeLessThan(60);
  expect(asked).toBeLessThan(30);
});
