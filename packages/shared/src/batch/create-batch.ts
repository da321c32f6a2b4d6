import { isHoldfastError } from '../errors/index.js';

const LARGEST_BATCH = 256;

/** Answers in the order of its items. */
export type BatchWork<Item, Result> = (items: Item[]) => Promise<Result[]>;

export interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Turns work on many items into a function for one: what is asked for while a batch runs forms the next one, so that
 * a busy worker sends one command for many jobs, and an idle one waits for nothing.
 * Where the work fails for a reason of its own (INTERNAL), each item is tried alone, so that one bad item does not fail
 * its neighbours.
 */
export function createBatch<Item, Result>(work: BatchWork<Item, Result>): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = [];
  let running = false;

  const runAll = async (): Promise<void> => {
    running = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, LARGEST_BATCH);
      waiting = waiting.slice(LARGEST_BATCH);
      await runBatch(work, batch);
    }
    running = false;
  };

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      // Later in this turn, so that items of one turn share a batch.
      if (!running && waiting.length === 1) queueMicrotask(() => void runAll());
    });
}

/** Does the work and answers every item; never rejects. */
export async function runBatch<Item, Result>(
  work: BatchWork<Item, Result>,
  batch: readonly Waiting<Item, Result>[],
): Promise<void> {
  try {
    const results = await work(batch.map(({ item }) => item));
    for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result);
  } catch (error) {
    if (batch.length > 1 && isHoldfastError(error, 'INTERNAL'))
      for (const one of batch) await runBatch(work, [one]);
    else for (const { reject } of batch) reject(error);
  }
}
