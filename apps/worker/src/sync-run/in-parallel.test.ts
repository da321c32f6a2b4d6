import { expect, it } from 'vitest';
import { inParallel } from './host-calls.js';

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

it('begins nothing after a rejection, and tells of it when what was under way has ended', async () => {
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
