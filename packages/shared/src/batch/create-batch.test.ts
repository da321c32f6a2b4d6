import { HoldfastError } from '../errors/index.js';
import { expect, it } from 'vitest';
import { createBatch } from './index.js';

it('gathers what is asked for while a batch runs, and answers each in its place', async () => {
  const sizes: number[] = [];
  const double = createBatch(async (items: number[]) => {
    sizes.push(items.length);
    await Promise.resolve();
    return items.map((item) => item * 2);
  });
  const first = double(1);
  await Promise.resolve();
  const rest = [2, 3, 4].map(double);
  expect(await Promise.all([first, ...rest])).toEqual([2, 4, 6, 8]);
  expect(sizes).toEqual([1, 3]);
});

it('fails the whole batch when Redis is away, and works again afterwards', async () => {
  let away = true;
  const run = createBatch((items: number[]) =>
    away ? Promise.reject(new HoldfastError('CATALOG_UNAVAILABLE')) : Promise.resolve(items),
  );
  const results = await Promise.allSettled([1, 2].map(run));
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  away = false;
  expect(await run(3)).toBe(3);
});
