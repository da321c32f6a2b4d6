import { expect, it } from 'vitest';
import { createTurnBatch } from './index.js';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('gathers what is asked for in one turn, and lets batches overlap', async () => {
  const sizes: number[] = [];
  const ends: (() => void)[] = [];
  const double = createTurnBatch(async (items: number[]) => {
    sizes.push(items.length);
    await new Promise<void>((resolve) => ends.push(resolve));
    return items.map((item) => item * 2);
  });
  const first = [1, 2].map(double);
  await nextTurn();
  const second = [3, 4, 5].map(double);
  await nextTurn();
  expect(sizes).toEqual([2, 3]);
  for (const end of ends.toReversed()) end();
  expect(await Promise.all([...first, ...second])).toEqual([2, 4, 6, 8, 10]);
});

it('gathers also what comes in different events of one turn', async () => {
  const sizes: number[] = [];
  const run = createTurnBatch((items: number[]) => {
    sizes.push(items.length);
    return Promise.resolve(items);
  });
  const inEvent = (item: number): Promise<number> =>
    new Promise((resolve, reject) => {
      setImmediate(() => void run(item).then(resolve, reject));
    });
  expect(await Promise.all([1, 2, 3].map(inEvent))).toEqual([1, 2, 3]);
  expect(sizes).toEqual([3]);
});

it('never makes a batch that holds others up for long', async () => {
  const sizes: number[] = [];
  const run = createTurnBatch((items: number[]) => {
    sizes.push(items.length);
    return Promise.resolve(items);
  });
  const items = Array.from({ length: 40 }, (_, index) => index);
  expect(await Promise.all(items.map(run))).toEqual(items);
  expect(sizes).toEqual([16, 16, 8]);
});
