import type { Catalog } from '@holdfast/shared/catalog';
import { createBackoff, type Backoff } from '@holdfast/shared/lifecycle';
import type { MediaRecord } from '@holdfast/shared/media';

/** What a look at one media showed. `lost`: gone from the catalog for long without having been deleted. */
export type Sight = { kind: 'record'; record: MediaRecord } | { kind: 'deleted' } | { kind: 'lost' };

/** Looks at media on behalf of all who follow one; asks nothing while nobody does. */
export interface MediaWatch {
  /** Calls `onSight` whenever a look shows something else than the last one, beginning with `known`. Returns what ends it. */
  follow(known: MediaRecord, onSight: (sight: Sight) => void): () => void;
}

export interface MediaWatchOptions {
  catalog: Pick<Catalog, 'findStored' | 'findTombstoned'>;
  /** Uploads acknowledged while Redis was away, held in memory. */
  deferred: { find(id: string): MediaRecord | null };
  /** After this long a media that is gone, though nobody deleted it, is given up. */
  lostAfterMs?: number;
  /** Ends its rests when Redis may be there again. */
  rests?: Backoff;
}

interface Follower {
  seen: string;
  onSight: (sight: Sight) => void;
}

interface Watched {
  followers: Set<Follower>;
  seen: string;
  changedAt: number;
  dueAt: number;
  goneSince: number | null;
}

const LOST_AFTER_MS = 120_000;
/** A media is looked at the more rarely, the longer it has been the same. */
const SHORTEST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;
const PAUSE_SHARE = 0.1;
/** Rests after a look, in times of what it took: decoding many large records keeps the process from other clients. */
const REST_SHARE = 2;
/** Those that are due so soon are looked at together. */
const TOGETHER_MS = 50;

/**
 * Other processes write most changes, so the catalog is asked: one command for all media that are due. What changes twice
 * between two looks is seen once, as it is then.
 */
export function createMediaWatch(options: MediaWatchOptions): MediaWatch {
  const { catalog, deferred, lostAfterMs = LOST_AFTER_MS, rests = createBackoff() } = options;
  const watched = new Map<string, Watched>();
  let timer: NodeJS.Timeout | undefined;
  let looking = false;
  let restsUntil = 0;

  const schedule = (): void => {
    clearTimeout(timer);
    if (looking || watched.size === 0) return;
    const due = Math.min(...Array.from(watched.values(), ({ dueAt }) => dueAt));
    const inMs = Math.max(due, restsUntil) - performance.now();
    timer = setTimeout(() => void lookAround(), Math.max(0, inMs));
  };

  const lookAround = async (): Promise<void> => {
    const now = performance.now();
    // Who begins to follow during the look has read the media later than it did.
    const due = [...watched]
      .filter(([, { dueAt }]) => dueAt <= now + TOGETHER_MS)
      .map(([id, entry]) => ({ id, entry, followers: [...entry.followers] }));
    looking = true;
    try {
      const sights = await sightsOf(due.map(({ id }) => id));
      rests.reset();
      for (const [index, { entry, followers }] of due.entries())
        tell(entry, followers, sights[index] ?? null, now);
    } catch {
      // Redis is away: what is known stays known, and the next look tells.
      await rests.rest();
    } finally {
      looking = false;
      restsUntil = performance.now() + REST_SHARE * (performance.now() - now);
      schedule();
    }
  };

  /** Null: gone, and not deleted. */
  const sightsOf = async (ids: readonly string[]): Promise<(Sight | null)[]> => {
    const stored = await catalog.findStored(ids);
    const records = ids.map((id, index) => stored[index]?.record ?? deferred.find(id));
    const gone = ids.filter((_, index) => records[index] === null);
    const deleted = gone.length === 0 ? null : await catalog.findTombstoned(gone);
    return ids.map((id, index): Sight | null => {
      const record = records[index] ?? null;
      if (record !== null) return { kind: 'record', record };
      return deleted?.has(id) === true ? { kind: 'deleted' } : null;
    });
  };

  const tell = (entry: Watched, followers: readonly Follower[], found: Sight | null, now: number): void => {
    entry.goneSince = found === null ? (entry.goneSince ?? now) : null;
    const isLost = entry.goneSince !== null && now - entry.goneSince >= lostAfterMs;
    const sight = found ?? (isLost ? { kind: 'lost' as const } : null);
    const seen = sight === null ? entry.seen : JSON.stringify(sight);
    if (seen !== entry.seen) entry.changedAt = now;
    entry.seen = seen;
    entry.dueAt =
      now + Math.min(Math.max((now - entry.changedAt) * PAUSE_SHARE, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);
    if (sight === null) return;
    for (const follower of followers) {
      if (follower.seen === seen || !entry.followers.has(follower)) continue;
      follower.seen = seen;
      follower.onSight(sight);
    }
  };

  return {
    follow: (known, onSight) => {
      const { id } = known;
      const now = performance.now();
      const seen = JSON.stringify({ kind: 'record', record: known } satisfies Sight);
      const follower = { seen, onSight };
      const entry: Watched = watched.get(id) ?? {
        followers: new Set(),
        seen,
        changedAt: now,
        dueAt: now + SHORTEST_PAUSE_MS,
        goneSince: null,
      };
      entry.followers.add(follower);
      watched.set(id, entry);
      schedule();
      return () => {
        if (!entry.followers.delete(follower)) return;
        if (entry.followers.size === 0 && watched.get(id) === entry) watched.delete(id);
        schedule();
      };
    },
  };
}
