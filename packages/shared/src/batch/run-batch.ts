import { HoldfastError, isHoldfastError } from '../errors/index.js';

/** Answers each of its items, in their order. */
export type BatchWork<Item, Result> = (items: Item[]) => Promise<Result[]>;

/** An item whose caller waits for its result. */
export interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Does the work and answers every item; never rejects. Where the work fails for a reason of its own (INTERNAL), each item is
 * tried alone, so that one bad item does not fail its neighbours.
 */
export async function runBatch<Item, Result>(
  work: BatchWork<Item, Result>,
  batch: readonly Waiting<Item, Result>[],
): Promise<void> {
  try {
    const results = await work(batch.map(({ item }) => item));
    // Nobody may take the answer of another for its own, or none for a good one.
    if (results.length !== batch.length)
      throw new HoldfastError('INTERNAL', 'a batch was not answered item by item');
    for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result);
  } catch (error) {
    if (batch.length > 1 && isHoldfastError(error, 'INTERNAL'))
      for (const one of batch) await runBatch(work, [one]);
    else for (const { reject } of batch) reject(error);
  }
}
