import { expect, it } from 'vitest';
import { isOwnId, newMediaId } from './index.js';

it('gives ids that are valid, never repeat and sort by time', () => {
  const ids = Array.from({ length: 2_000 }, (_, index) => newMediaId(1_700_000_000_000 + index));
  expect(ids.every(isOwnId)).toBe(true);
  expect(ids.toSorted()).toEqual(ids);
  const sameTime = new Set(Array.from({ length: 20_000 }, () => newMediaId(0)));
  expect(sameTime.size).toBe(20_000);
  // Every character of the random part takes every value.
  for (let position = 10; position < 26; position += 1)
    expect(new Set([...sameTime].map((id) => id[position])).size).toBe(32);
});
