import { expect, it } from 'vitest';
import { HoldfastError } from '../errors/index.js';
import { runBatch, type BatchWork } from './run-batch.js';

async function outcomesOf(work: BatchWork<number, number>): Promise<string[]> {
  const outcomes: string[] = [];
  const waiting = [1, 2, 3].map((item, index) => ({
    item,
    resolve: (result: number) => void (outcomes[index] = String(result)),
    reject: () => void (outcomes[index] = 'failed'),
  }));
  await runBatch(work, waiting);
  return outcomes;
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
