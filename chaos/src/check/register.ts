/** A write of one value, known by when it began and when it was surely done. */
export interface Write {
  value: string;
  invokedAt: number;
  /** Infinity where nobody knows. */
  returnedAt: number;
}

/**
 * The values that a read may give: that of each write which began before the read ended, unless another write that began
 * after it was surely done was itself surely done before the read began. Writes without an answer never are.
 */
export function valuesPossible(
  writes: readonly Write[],
  read: { invokedAt: number; returnedAt: number },
): Set<string> {
  const possible = writes.filter(
    (write) =>
      write.invokedAt < read.returnedAt &&
      !writes.some((later) => later.invokedAt > write.returnedAt && later.returnedAt < read.invokedAt),
  );
  return new Set(possible.map(({ value }) => value));
}
