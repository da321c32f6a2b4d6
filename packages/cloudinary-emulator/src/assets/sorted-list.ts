/** Items in a total order, kept sorted while they come and go. */
export interface SortedList<T> {
  readonly length: number;
  insert(item: T): void;
  /** Removes the item that compares equal; does nothing when there is none. */
  remove(item: T): void;
  /**
   * Items in order, from the first one for which `isBefore` is false. `isBefore` must be true, then false,
   * along the order. The list must not change during the walk.
   */
  from(isBefore: (item: T) => boolean): Iterable<T>;
  /** Items in reverse order, from the last one for which `isBefore` is true. */
  downFrom(isBefore: (item: T) => boolean): Iterable<T>;
}

const BLOCK = 1024;

/**
 * A sorted array cut into blocks, so that an insert or removal moves a few items and not a million, and a
 * page costs what it shows.
 */
export function sortedList<T>(initial: T[], compare: (a: T, b: T) => number): SortedList<T> {
  const sorted = initial.toSorted(compare);
  // Never empty; only the single block of an empty list has no items.
  const blocks: T[][] = [];
  for (let start = 0; start < sorted.length; start += BLOCK) blocks.push(sorted.slice(start, start + BLOCK));
  if (blocks.length === 0) blocks.push([]);
  let length = sorted.length;

  /** Place of the first item that is not before; behind the last item when all are. */
  const place = (isBefore: (item: T) => boolean): { block: number; index: number } => {
    const block = Math.min(
      partition(blocks.length, (at) => isBefore(blocks[at]?.at(-1) as T)),
      blocks.length - 1,
    );
    const items = blocks[block] as T[];
    return { block, index: partition(items.length, (at) => isBefore(items[at] as T)) };
  };

  return {
    get length() {
      return length;
    },
    insert(item) {
      const { block, index } =
        length === 0 ? { block: 0, index: 0 } : place((other) => compare(other, item) < 0);
      const items = blocks[block] as T[];
      items.splice(index, 0, item);
      length += 1;
      if (items.length > 2 * BLOCK) blocks.splice(block + 1, 0, items.splice(BLOCK));
    },
    remove(item) {
      if (length === 0) return;
      const { block, index } = place((other) => compare(other, item) < 0);
      const items = blocks[block] as T[];
      const found = items[index];
      if (found === undefined || compare(found, item) !== 0) return;
      items.splice(index, 1);
      length -= 1;
      if (items.length === 0 && blocks.length > 1) blocks.splice(block, 1);
    },
    *from(isBefore) {
      if (length === 0) return;
      let { block, index } = place(isBefore);
      for (; block < blocks.length; block += 1, index = 0) {
        const items = blocks[block] as T[];
        for (; index < items.length; index += 1) yield items[index] as T;
      }
    },
    *downFrom(isBefore) {
      if (length === 0) return;
      let { block, index } = place(isBefore);
      for (index -= 1; block >= 0; block -= 1, index = (blocks[block]?.length ?? 0) - 1) {
        const items = blocks[block] as T[];
        for (; index >= 0; index -= 1) yield items[index] as T;
      }
    },
  };
}

/** How many of the first `count` places fulfil the test, which must be true, then false. */
function partition(count: number, test: (at: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (test(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
