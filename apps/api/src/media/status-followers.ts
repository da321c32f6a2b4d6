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

interface Followed {
  followers: Set<{ seen: string; onState: (state: FollowedState) => void }>;
  goneSince: number | null;
}

const LOST_AFTER_MS = 120_000;
/** Where changes are reported, all are read again all the same, since a dead connection shows no error. */
const READ_WHILE_LIVE_MS = 5_000;
const READ_UNREPORTED_MS = 250;
/** Rests after a read, in times of what it took: decoding many large records keeps the process from other clients. */
const REST_SHARE = 2;
/** What changes so soon after a read is read together. */
const LEAST_REST_MS = 5;

/**
 * Reads followed records when they are reported as changed, and all from time to time, in one command. What changes twice between
 * two reads is seen once, as it is then.
 */
export function createStatusFollowers(options: StatusFollowersOptions): StatusFollowers {
  const { catalog, changes, deferred, lostAfterMs = LOST_AFTER_MS, rests = createBackoff() } = options;
  const followed = new Map<string, Followed>();
  const due = new Set<string>();
  const bell = createBell();
  let running = false;

  const onChange = (id: string | null): void => {
    for (const each of id === null ? followed.keys() : [id]) if (followed.has(each)) due.add(each);
    if (due.size > 0) bell.ring();
  };

  /** Runs while anything is followed. */
  const run = async (): Promise<void> => {
    running = true;
    const stopListening = changes.listen(onChange);
    while (followed.size > 0) {
      await bell.heard(changes.isLive() ? READ_WHILE_LIVE_MS : READ_UNREPORTED_MS);
      const start = performance.now();
      const ids = due.size > 0 ? [...due] : [...followed.keys()];
      due.clear();
      try {
        await readAll(ids, start);
        rests.reset();
        const restMs = Math.max(LEAST_REST_MS, REST_SHARE * (performance.now() - start));
        await new Promise((resolve) => setTimeout(resolve, restMs));
      } catch {
        // Redis is away: what is known stays known, and the next read shows more.
        await rests.rest();
        onChange(null);
      }
    }
    running = false;
    stopListening();
  };

  const readAll = async (ids: readonly string[], now: number): Promise<void> => {
    // Who begins to follow during the read knows the record as it was later.
    const asked = ids.flatMap((id) => {
      const entry = followed.get(id);
      return entry === undefined ? [] : [{ id, entry, followers: [...entry.followers] }];
    });
    const stored = await catalog.findStored(asked.map(({ id }) => id));
    const records = asked.map(({ id }, index) => stored[index]?.record ?? deferred.find(id));
    const gone = asked.filter((_, index) => records[index] === null).map(({ id }) => id);
    const deleted = gone.length === 0 ? null : await catalog.findTombstoned(gone);
    for (const [index, { id, entry, followers }] of asked.entries()) {
      const record = records[index] ?? null;
      entry.goneSince = record === null ? (entry.goneSince ?? now) : null;
      let state: FollowedState | null = record && { kind: 'record', record };
      if (deleted?.has(id) === true) state = { kind: 'deleted' };
      else if (entry.goneSince !== null && now - entry.goneSince >= lostAfterMs) state = { kind: 'lost' };
      if (state === null) continue;
      const seen = JSON.stringify(state);
      for (const follower of followers) {
        if (follower.seen === seen || !entry.followers.has(follower)) continue;
        follower.seen = seen;
        follower.onState(state);
      }
    }
  };

  return {
    follow: (known, onState) => {
      const { id } = known;
      const seen = JSON.stringify({ kind: 'record', record: known } satisfies FollowedState);
      const follower = { seen, onState };
      const entry = followed.get(id) ?? { followers: new Set(), goneSince: null };
      entry.followers.add(follower);
      followed.set(id, entry);
      if (!running) void run();
      // What has changed since `known` was read was reported to nobody.
      onChange(id);
      return () => {
        entry.followers.delete(follower);
        if (entry.followers.size === 0 && followed.get(id) === entry) followed.delete(id);
        if (followed.size === 0) bell.ring();
      };
    },
  };
}

/** Wakes its one waiter. A ring without a waiter wakes the next one at once. */
export function createBell(): { ring(): void; heard(withinMs: number): Promise<void> } {
  let rung = false;
  let wake = (): void => undefined;
  return {
    ring: () => {
      rung = true;
      wake();
    },
    heard: async (withinMs) => {
      if (!rung)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, withinMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      rung = false;
    },
  };
}
