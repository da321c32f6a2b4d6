/** Calls to the host that change something, at once. */
export const CALLS_AT_ONCE = 4;
/** Calls that only look up an asset. */
export const LOOKS_AT_ONCE = 8;
/**
 * Items of one sweep. Each takes up to four answers of the host, one after another: with 0.3 s for each, 128 uploads that a kill
 * cut off are undone in 8 s, which with the 30 s until they are stale and the 20 s of the watch makes less than a minute.
 */
export const SWEPT_AT_ONCE = 16;

/**
 * Runs `work` over all items, at most `limit` at once; results in their order. After the first rejection none is begun any more,
 * and it is told when those under way have ended: whoever hears of it may give up what they stand on, such as a lease.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    for (let index = next; index < items.length && !failed; index = next) {
      next += 1;
      try {
        results[index] = await work(items[index] as Item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, lane));
  const rejected = lanes.find((ended) => ended.status === 'rejected');
  if (rejected !== undefined) throw rejected.reason;
  return results;
}
