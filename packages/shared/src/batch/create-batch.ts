import { runBatch, type BatchWork, type Waiting } from './run-batch.js';

/** So many jobs in one script hold Redis up for some tens of milliseconds. */
const LARGEST_BATCH = 256;

/**
 * Turns work on many items into a function for one: what is asked for while a batch runs forms the next one, so that
 * a busy worker sends one command for many jobs, and an idle one waits for nothing.
 */
export function createBatch<Item, Result>(
  work: BatchWork<Item, Result>,
  atMost = LARGEST_BATCH,
): (item: Item) => Promise<Result> {
  const largest = Math.min(atMost, LARGEST_BATCH);
  let waiting: Waiting<Item, Result>[] = [];
  let running = false;

  const runAll = async (): Promise<void> => {
    running = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, largest);
      waiting = waiting.slice(largest);
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
