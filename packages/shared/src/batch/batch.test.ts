import { HoldfastError } from '@holdfast/foundation/errors';
import { describe, expect, it } from 'vitest';
import { createBatch, type BatchWork } from './index.js';

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

async function outcomesOf(work: BatchWork<number, number>): Promise<string[]> {
  const ended = await Promise.allSettled([1, 2, 3].map(createBatch(work)));
  return ended.map((end) => (end.status === 'fulfilled' ? String(end.value) : 'failed'));
}

it('fails only the item that is bad', async () => {
  const work = (items: number[]): Promise<number[]> =>
    items.includes(2) ? Promise.reject(new HoldfastError('INTERNAL')) : Promise.resolve(items);
  expect(await outcomesOf(work)).toEqual(['1', 'failed', '3']);
});

it('fails who is not answered, rather than giving the answer of another', async () => {
  expect(await outcomesOf((items) => Promise.resolve(items.filter((item) => item !== 2)))).toEqual([
    '1',
    'failed',
    '3',
  ]);
});

describe('overlapping batches', () => {
  const inTurns = (work: BatchWork<number, number>) => createBatch(work, { atMost: 16, overlapping: true });
  const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('gathers what is asked for in one turn, and lets batches overlap', async () => {
    const sizes: number[] = [];
    const ends: (() => void)[] = [];
    const double = inTurns(async (items: number[]) => {
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

  it('gathers what arrives in different events of one turn', async () => {
    const sizes: number[] = [];
    const run = inTurns((items: number[]) => {
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
    const run = inTurns((items: number[]) => {
      sizes.push(items.length);
      return Promise.resolve(items);
    });
    const items = Array.from({ length: 40 }, (_, index) => index);
    expect(await Promise.all(items.map(run))).toEqual(items);
    expect(sizes).toEqual([16, 16, 8]);
  });
});
