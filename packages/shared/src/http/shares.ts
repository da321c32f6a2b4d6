/** A place that a client holds, of which there is a limited number. */
export interface Holding {
  /** Ends it: another client gets the place. */
  giveUp(): void;
  /** The lowest is given up first, or the oldest where there is no pace. Infinity: it is never given up. */
  pace?(): number;
  /** So slow that any client may have its place, the same one included. */
  crawls?(): boolean;
}

export type Shares = ReturnType<typeof createShares>;

/** After a contest at the limit, some places stay free for so long, for clients that hold less than their part. */
const CONTESTED_MS = 10_000;
const KEPT_FREE = 1 / 8;

/** Places that clients share: each may have all of them while no other client needs one. */
export function createShares(places: number, now = (): number => performance.now()) {
  const held = new Map<string, Set<Holding>>();
  const keptFree = Math.max(1, Math.floor(places * KEPT_FREE));
  let running = 0;
  let contestedUntil = -Infinity;
  const isContested = (): boolean => now() < contestedUntil;
  const countOf = (client: string): number => held.get(client)?.size ?? 0;

  const remove = (client: string, holding: Holding): void => {
    const own = held.get(client);
    if (own?.delete(holding) !== true) return;
    if (own.size === 0) held.delete(client);
    running -= 1;
  };

  /** The client that holds so much that this one may have some of it. */
  const richer = (client: string): string | undefined => {
    const [most] = lowest(held, ([, { size }]) => -size) ?? [];
    return most !== undefined && countOf(most) > countOf(client) + 1 ? most : undefined;
  };

  /** The place that this client may have, and its holder: one of a client with more, or one that crawls. */
  const placeFor = (client: string): [string, Holding] | undefined => {
    const other = richer(client);
    const slowest = lowest(held.get(other ?? '') ?? [], (holding) => holding.pace?.() ?? 0);
    if (other !== undefined && slowest !== undefined) return [other, slowest];
    for (const [holder, holdings] of held)
      for (const holding of holdings) if (holding.crawls?.() === true) return [holder, holding];
    return undefined;
  };

  /** A client that has its part leaves the last places to others. */
  const mustLeaveSome = (client: string): boolean => {
    if (!isContested()) return false;
    const clients = Math.max(2, held.size + (held.has(client) ? 0 : 1));
    return countOf(client) >= places / clients && running >= places - keptFree;
  };

  return {
    get running(): number {
      return running;
    },
    /** Whether this client would get a place now. */
    admits: (client: string): boolean =>
      running < places ? !mustLeaveSome(client) : placeFor(client) !== undefined,
    /** Takes a place; null where this client gets none. The function gives it back, once however often it is called. */
    take: (client: string, holding: Holding): (() => void) | null => {
      if (running < places && mustLeaveSome(client)) return null;
      // Also where a place that was kept free serves: otherwise the next one would have to be given up again.
      const isNeeded = running >= places || (isContested() && running >= places - keptFree);
      if (isNeeded && richer(client) !== undefined) contestedUntil = now() + CONTESTED_MS;
      if (running >= places) {
        const place = placeFor(client);
        if (place === undefined) return null;
        remove(...place);
        place[1].giveUp();
      }
      held.set(client, (held.get(client) ?? new Set()).add(holding));
      running += 1;
      return () => remove(client, holding);
    },
  };
}

/** The first one with the lowest value; none where all are infinite. */
function lowest<T>(items: Iterable<T>, valueOf: (item: T) => number): T | undefined {
  let found: T | undefined;
  let least = Infinity;
  for (const item of items) {
    const value = valueOf(item);
    if (value >= least) continue;
    found = item;
    least = value;
  }
  return found;
}
