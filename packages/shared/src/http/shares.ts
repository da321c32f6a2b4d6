/** A place that a client holds, of which there is a limited number. */
export interface Holding {
  /** Ends it: another client gets the place. */
  giveUp(): void;
  /** The lowest is given up first, or the oldest where there is no pace. Infinity: it is never given up. */
  pace?(): number;
  /** So slow that any client may have its place, the same one included. */
  crawls?(): boolean;
}

/** Places that clients share: each may have all of them while no other client needs one. */
export interface Shares {
  readonly running: number;
  /** Whether this client would get a place now. */
  admits(client: string): boolean;
  /** Takes a place; null where this client gets none. The function gives it back, once however often it is called. */
  take(client: string, holding: Holding): (() => void) | null;
}

/** After a contest at the limit, some places stay free for so long, for clients that hold less than their part. */
const CONTESTED_MS = 10_000;
const KEPT_FREE = 1 / 8;

export function createShares(places: number, now = (): number => performance.now()): Shares {
  const held = new Map<string, Set<Holding>>();
  const keptFree = Math.max(1, Math.floor(places * KEPT_FREE));
  let running = 0;
  let contestedUntil = -Infinity;
  const isContested = (): boolean => now() < contestedUntil;
  const countOf = (client: string): number => held.get(client)?.size ?? 0;

  const add = (client: string, holding: Holding): void => {
    const own = held.get(client) ?? new Set();
    held.set(client, own.add(holding));
    running += 1;
  };
  const remove = (client: string, holding: Holding): boolean => {
    const own = held.get(client);
    if (own?.delete(holding) !== true) return false;
    if (own.size === 0) held.delete(client);
    running -= 1;
    return true;
  };

  const largest = (): string | undefined =>
    [...held.keys()].reduce<string | undefined>(
      (most, client) => (most === undefined || countOf(client) > countOf(most) ? client : most),
      undefined,
    );

  const crawling = (): [string, Holding] | null => {
    for (const [client, holdings] of held)
      for (const holding of holdings) if (holding.crawls?.() === true) return [client, holding];
    return null;
  };

  /** The client that holds so much that this one may have some of it. */
  const richer = (client: string): string | null => {
    const other = largest();
    return other !== undefined && countOf(other) > countOf(client) + 1 ? other : null;
  };

  /** The place that this client may have, and its holder. */
  const placeFor = (client: string): [string, Holding] | null => {
    const other = richer(client);
    const slowest = other === null ? undefined : slowestOf(held.get(other) ?? []);
    return other !== null && slowest !== undefined ? [other, slowest] : crawling();
  };

  /** A client that has its part leaves the last places to others. */
  const mustLeaveSome = (client: string): boolean => {
    if (!isContested()) return false;
    const clients = Math.max(2, held.size + (held.has(client) ? 0 : 1));
    return countOf(client) >= places / clients && running >= places - keptFree;
  };

  const admits = (client: string): boolean =>
    running < places ? !mustLeaveSome(client) : placeFor(client) !== null;

  return {
    get running() {
      return running;
    },
    admits,
    take: (client, holding) => {
      if (running < places && mustLeaveSome(client)) return null;
      // Also where a place that was kept free serves: otherwise the next one would have to be given up again.
      const isNeeded = running >= places || (isContested() && running >= places - keptFree);
      if (isNeeded && richer(client) !== null) contestedUntil = now() + CONTESTED_MS;
      if (running >= places) {
        const place = placeFor(client);
        if (place === null) return null;
        remove(...place);
        place[1].giveUp();
      }
      add(client, holding);
      return () => void remove(client, holding);
    },
  };
}

function slowestOf(holdings: Iterable<Holding>): Holding | undefined {
  let slowest: Holding | undefined;
  let lowest = Infinity;
  for (const holding of holdings) {
    const pace = holding.pace?.() ?? 0;
    if (pace >= lowest) continue;
    slowest = holding;
    lowest = pace;
  }
  return slowest;
}
