/** Items in a total order, kept sorted while they come and go. */
export interface SortedList<T> {
  readonly length: number;
  at(index: number): T | undefined;
  insert(item: T): void;
  /** Removes the item that compares equal; does nothing when there is none. */
  remove(item: T): void;
  /** Index of the first item for which `isBefore` is false; `isBefore` must be true, then false, along the order. */
  firstIndex(isBefore: (item: T) => boolean): number;
}

/**
 * A sorted array. An insert or removal moves memory, which at a million items is still well under a
 * millisecond; in return a page is a slice and nothing is ever sorted per request.
 */
export function sortedList<T>(initial: T[], compare: (a: T, b: T) => number): SortedList<T> {
  const items = initial.toSorted(compare);

  const firstIndex = (isBefore: (item: T) => boolean): number => {
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(items[middle] as T)) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  return {
    get length() {
      return items.length;
    },
    at: (index) => items[index],
    insert(item) {
      const last = items.at(-1);
      if (last === undefined || compare(last, item) < 0) items.push(item);
      else
        items.splice(
          firstIndex((other) => compare(other, item) < 0),
          0,
          item,
        );
    },
    remove(item) {
      const index = firstIndex((other) => compare(other, item) < 0);
      const found = items[index];
      if (found !== undefined && compare(found, item) === 0) items.splice(index, 1);
    },
    firstIndex,
  };
}
