import { expect, it } from 'vitest';
import { HoldfastError } from '../errors/index.js';
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

it('fails only the item that is bad', async () => {
  const run = createTurnBatch((items: number[]) =>
    items.includes(2) ? Promise.reject(new HoldfastError('INTERNAL')) : Promise.resolve(items),
  );
  const results = await Promise.allSettled([1, 2, 3].map(run));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

it('fails who is not answered, rather than giving the answer of another', async () => {
  const run = createTurnBatch((items: number[]) => Promise.resolve(items.filter((item) => item !== 2)));
  const results = await Promise.allSettled([1, 2, 3].map(run));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});
