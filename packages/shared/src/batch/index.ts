import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';

/** So many items in one script hold Redis up for some tens of milliseconds. */
const LARGEST_BATCH = 256;

/** Answers each of its items, in their order. */
export type BatchWork<Item, Result> = (items: Item[]) => Promise<Result[]>;

/** An item whose caller waits for its result. */
interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Turns work on many items into a function for one. What is asked for while a batch runs forms the next one, so that a busy
 * process sends one command for many items, and an idle one waits for nothing.
 *
 * `overlapping`: batches do not wait for each other. What is asked for in one turn of the event loop, in which the requests that
 * have come are read, shares a batch. For clients, who wait for the answer.
 *
 * Where the work fails for a reason of its own (INTERNAL), each item is tried alone, so that one bad item does not fail its
 * neighbours. Any other error rejects all of them.
 */
export function createBatch<Item, Result>(
  work: BatchWork<Item, Result>,
  { atMost = LARGEST_BATCH, overlapping = false }: { atMost?: number; overlapping?: boolean } = {},
): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = [];
  let running = false;

  const runAll = async (): Promise<void> => {
    running = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, atMost);
      waiting = waiting.slice(atMost);
      const ended = runBatch(work, batch);
      if (!overlapping) await ended;
    }
    running = false;
  };

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (running || waiting.length > 1) return;
      const soon = overlapping ? setImmediate : queueMicrotask;
      soon(() => void runAll());
    });
}

/** Does the work and answers every item; never rejects. */
async function runBatch<Item, Result>(
  work: BatchWork<Item, Result>,
  batch: readonly Waiting<Item, Result>[],
): Promise<void> {
  try {
    const results = await work(batch.map(({ item }) => item));
    // No item may take the answer of another for its own, or none for a good one.
    if (results.length !== batch.length)
      throw new HoldfastError('INTERNAL', 'a batch was not answered item by item');
    for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result);
  } catch (error) {
    if (batch.length > 1 && isHoldfastError(error, 'INTERNAL'))
      for (const one of batch) await runBatch(work, [one]);
    else for (const { reject } of batch) reject(error);
  }
}
