import type { Catalog } from '@holdfast/shared/catalog';
import { createBackoff, type Backoff } from '@holdfast/foundation/lifecycle';
import type { MediaRecord } from '@holdfast/shared/media';
import type { RecordChanges } from './record-changes.js';

/** What a follower is given. `lost`: gone from the catalog for long without having been deleted. */
export type FollowedState = { kind: 'record'; record: MediaRecord } | { kind: 'deleted' } | { kind: 'lost' };

/** Reads records on behalf of all who follow one; asks nothing while nobody does. */
export interface StatusFollowers {
  /** Calls `onState` whenever the state differs from the one before, beginning with `known`. Returns what ends it. */
  follow(known: MediaRecord, onState: (state: FollowedState) => void): () => void;
}

export interface StatusFollowersOptions {
  catalog: Pick<Catalog, 'findStored' | 'findTombstoned'>;
  changes: Pick<RecordChanges, 'listen' | 'isLive'>;
  /** Uploads acknowledged while Redis was away, held in memory. */
  deferred: { find(id: string): MediaRecord | null };
  /** After this long a record that is gone, though nobody deleted it, is given up. */
  lostAfterMs?: number;
  /** Ends its rests when Redis may be there again. */
  rests?: Backoff;
}

interface Follower {
  seen: string;
  onState: (state: FollowedState) => void;
}

interface Followed {
  followers: Set<Follower>;
  seen: string;
  changedAt: number;
  /** When the record is read next. */
  dueAt: number;
  goneSince: number | null;
}

const LOST_AFTER_MS = 120_000;
/** Where changes are reported, a record is read again all the same, since a dead connection shows no error. */
const PAUSE_WHILE_LIVE_MS = 5_000;
/** Where they are not, the more rarely the longer a record has stayed the same and Redis has been there. */
const SHORTEST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 1_000;
const PAUSE_SHARE = 0.1;
/** Rests after a read, in times of what it took: decoding many large records keeps the process from other clients. */
const REST_SHARE = 2;
/** Those that are due so soon are read together. */
const TOGETHER_MS = 20;

/**
 * Reads a followed record when it is reported as changed, and from time to time: one command for all that are due. What
 * changes twice between two reads is seen once, as it is then.
 */
export function createStatusFollowers(options: StatusFollowersOptions): StatusFollowers {
  const { catalog, changes, deferred, lostAfterMs = LOST_AFTER_MS, rests = createBackoff() } = options;
  const followed = new Map<string, Followed>();
  let stopListening = (): void => undefined;
  let timer: NodeJS.Timeout | undefined;
  let reading = false;
  let restsUntil = 0;

  const schedule = (): void => {
    clearTimeout(timer);
    if (reading || followed.size === 0) return;
    const due = Math.min(...Array.from(followed.values(), ({ dueAt }) => dueAt));
    const inMs = Math.max(due, restsUntil) - performance.now();
    timer = setTimeout(() => void readDue(), Math.max(0, inMs));
  };

  const onChange = (id: string | null): void => {
    const changed = id === null ? [...followed.values()] : [followed.get(id) ?? []].flat();
    for (const entry of changed) entry.dueAt = performance.now();
    if (changed.length > 0) schedule();
  };

  const readDue = async (): Promise<void> => {
    const now = performance.now();
    const due = [...followed]
      .filter(([, { dueAt }]) => dueAt <= now + TOGETHER_MS)
      // Who begins to follow during the read knows the record as it was later.
      .map(([id, entry]) => ({ id, entry, followers: [...entry.followers] }));
    // A change that is reported during the read may be missing from it.
    for (const { entry } of due) entry.dueAt = Infinity;
    reading = true;
    let readMs = 0;
    try {
      const states = await statesOf(due.map(({ id }) => id));
      rests.reset();
      for (const [index, { entry, followers }] of due.entries())
        pass(states[index] ?? null, entry, followers, now);
      readMs = performance.now() - now;
    } catch {
      // Redis is away: what is known stays known, and the next read shows more.
      await rests.rest();
      for (const { entry } of due) entry.changedAt = performance.now();
    } finally {
      for (const { entry } of due) entry.dueAt = Math.min(entry.dueAt, now + pauseOf(entry, now));
      reading = false;
      restsUntil = performance.now() + REST_SHARE * readMs;
      schedule();
    }
  };

  const pauseOf = ({ changedAt, goneSince }: Followed, now: number): number =>
    changes.isLive() && goneSince === null
      ? PAUSE_WHILE_LIVE_MS
      : Math.min(Math.max((now - changedAt) * PAUSE_SHARE, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);

  /** Null: gone, and not deleted. */
  const statesOf = async (ids: readonly string[]): Promise<(FollowedState | null)[]> => {
    const stored = await catalog.findStored(ids);
    const records = ids.map((id, index) => stored[index]?.record ?? deferred.find(id));
    const gone = ids.filter((_, index) => records[index] === null);
    const deleted = gone.length === 0 ? null : await catalog.findTombstoned(gone);
    return ids.map((id, index): FollowedState | null => {
      const record = records[index] ?? null;
      if (record !== null) return { kind: 'record', record };
      return deleted?.has(id) === true ? { kind: 'deleted' } : null;
    });
  };

  const pass = (
    found: FollowedState | null,
    entry: Followed,
    followers: readonly Follower[],
    now: number,
  ): void => {
    entry.goneSince = found === null ? (entry.goneSince ?? now) : null;
    const isLost = entry.goneSince !== null && now - entry.goneSince >= lostAfterMs;
    const state = found ?? (isLost ? { kind: 'lost' as const } : null);
    if (state === null) return;
    const seen = JSON.stringify(state);
    if (seen !== entry.seen) entry.changedAt = now;
    entry.seen = seen;
    for (const follower of followers) {
      if (follower.seen === seen || !entry.followers.has(follower)) continue;
      follower.seen = seen;
      follower.onState(state);
    }
  };

  return {
    follow: (known, onState) => {
      const { id } = known;
      const now = performance.now();
      const seen = JSON.stringify({ kind: 'record', record: known } satisfies FollowedState);
      const follower = { seen, onState };
      const entry: Followed = followed.get(id) ?? {
        followers: new Set(),
        seen,
        changedAt: now,
        dueAt: Infinity,
        goneSince: null,
      };
      // What has changed since `known` was read was reported to nobody.
      entry.dueAt = Math.min(entry.dueAt, now + SHORTEST_PAUSE_MS);
      entry.followers.add(follower);
      if (followed.size === 0) stopListening = changes.listen(onChange);
      followed.set(id, entry);
      schedule();
      return () => {
        if (!entry.followers.delete(follower)) return;
        if (entry.followers.size === 0 && followed.get(id) === entry) followed.delete(id);
        if (followed.size === 0) stopListening();
        schedule();
      };
    },
  };
}
