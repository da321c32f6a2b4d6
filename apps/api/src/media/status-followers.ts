import type { Catalog } from '@holdfast/shared/catalog';
import { createBackoff, type Backoff } from '@holdfast/foundation/lifecycle';
import type { MediaRecord } from '@holdfast/shared/media';
import type { RecordChanges } from './record-changes.js';

/** What a follower is given: the record as it is now, or that it was deleted. */
export type FollowedState = { kind: 'record'; record: MediaRecord } | { kind: 'deleted' };

/** Reads records on behalf of all who follow one; asks nothing while nobody does. */
export interface StatusFollowers {
  /** Calls `onState` with the state as it is now, and whenever it differs from the one before. Returns what ends it. */
  follow(record: Pick<MediaRecord, 'id'>, onState: (state: FollowedState) => void): () => void;
}

export interface StatusFollowersOptions {
  catalog: Pick<Catalog, 'findStored' | 'findTombstoned'>;
  changes: Pick<RecordChanges, 'listen' | 'isLive'>;
  /** Uploads acknowledged while Redis was away, held in memory. */
  deferred: { find(id: string): MediaRecord | null };
  /** Ends its rests when Redis may be there again. */
  rests?: Backoff;
}

/** `seen`: the stored text of the state that it was given last. */
interface Follower {
  seen: string | null;
  onState: (state: FollowedState) => void;
}

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
  const { catalog, changes, deferred, rests = createBackoff() } = options;
  const followed = new Map<string, Set<Follower>>();
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
        await readAll(ids);
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

  const readAll = async (ids: readonly string[]): Promise<void> => {
    // A client that begins to follow during the read knows the record as it was later.
    const asked = ids.map((id) => [...(followed.get(id) ?? [])]);
    const stored = await catalog.findStored(ids);
    const gone = ids.filter((id, index) => stored[index] === null && deferred.find(id) === null);
    const deleted = gone.length === 0 ? null : await catalog.findTombstoned(gone);
    for (const [index, id] of ids.entries()) {
      const record = stored[index]?.record ?? deferred.find(id);
      let state: FollowedState | null = record && { kind: 'record', record };
      if (deleted?.has(id) === true) state = { kind: 'deleted' };
      // One that is gone though nobody deleted it may come back: an emptied catalog is refilled.
      if (state === null) continue;
      const seen = stored[index]?.text ?? state.kind;
      for (const follower of asked[index] ?? []) {
        if (follower.seen === seen || followed.get(id)?.has(follower) !== true) continue;
        follower.seen = seen;
        follower.onState(state);
      }
    }
  };

  return {
    follow: ({ id }, onState) => {
      const follower: Follower = { seen: null, onState };
      const followers = followed.get(id) ?? new Set();
      followed.set(id, followers.add(follower));
      if (!running) void run();
      onChange(id);
      return () => {
        followers.delete(follower);
        if (followers.size === 0 && followed.get(id) === followers) followed.delete(id);
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
