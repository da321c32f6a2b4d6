import { Cluster } from 'ioredis';
import type { Catalog } from '@holdfast/shared/catalog';
import { createBackoff, withinMs, type Backoff } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import type { MediaRecord } from '@holdfast/shared/media';
import { closeRedis, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';

/** What a follower is given: the record as it is now, or that it was deleted. */
export type FollowedState = { kind: 'record'; record: MediaRecord } | { kind: 'deleted' };

export interface StatusFollowersOptions {
  catalog: Pick<Catalog, 'findStored' | 'findTombstoned'>;
  /** Uploads acknowledged while Redis was away, held in memory. */
  deferred: { find(id: string): MediaRecord | null };
  /** A connection of its own, on which Redis reports changes. */
  connect: () => RedisClient;
  keys: Pick<RedisKeys, 'record'>;
  log: Logger;
  /** Ends its rests when Redis may be there again. */
  rests?: Backoff;
}

type OnState = (state: FollowedState) => void;

/** Where changes are reported, all are read again all the same, since a dead connection shows no error. */
const READ_WHILE_LIVE_MS = 5_000;
const READ_UNREPORTED_MS = 250;
/** Rests after a read, in times of what it took: decoding many large records keeps the process from other clients. */
const REST_SHARE = 2;
/** What changes so soon after a read is read together. */
const LEAST_REST_MS = 5;
/** The connection stays open for so long after the last follower left: many clients follow one upload after the other. */
const LINGER_MS = 30_000;
/** The channel on which a Redis server reports what changed, under a protocol that has no messages but those of channels. */
const CHANNEL = '__redis__:invalidate';

/**
 * Reads followed records when they are reported as changed, and all from time to time, in one command. What changes twice between
 * two reads is seen once, as it is then. Redis reports each change of a record (`CLIENT TRACKING`) over a connection that is open only
 * while somebody follows: nothing is written for it. A server that refuses, and a Cluster, whose nodes report on their own keys
 * only, never become live.
 */
export function createStatusFollowers(options: StatusFollowersOptions) {
  const { catalog, deferred, connect, keys, log, rests = createBackoff() } = options;
  const prefix = keys.record('');
  /** By id. Each follower with the stored text of the state that it was given last. */
  const followed = new Map<string, Map<OnState, string | null>>();
  const due = new Set<string>();
  const bell = createBell();
  let isRunning = false;
  let client: RedisClient | undefined;
  let isLive = false;
  let isRefused = false;
  let lingering: NodeJS.Timeout | undefined;

  /** The record with this id changed; null where any may have. */
  const noteChange = (id: string | null): void => {
    for (const each of id === null ? followed.keys() : [id]) if (followed.has(each)) due.add(each);
    if (due.size > 0) bell.ring();
  };

  const listen = (): void => {
    clearTimeout(lingering);
    if (client !== undefined || isRefused) return;
    const opened = connect();
    client = opened;
    opened.on('ready', () => void subscribe(opened));
    opened.on('close', () => {
      if (client !== opened || !isLive) return;
      isLive = false;
      // From now on nothing is reported.
      noteChange(null);
    });
    opened.on('message', (_channel: string, changed: string) => {
      // A list of keys, joined by commas; empty where the server was emptied.
      const ids = changed.split(prefix).slice(1);
      if (ids.length === 0) noteChange(null);
      for (const id of ids) noteChange(id.replace(/,$/, ''));
    });
  };

  const subscribe = async (opened: RedisClient): Promise<void> => {
    try {
      if (opened instanceof Cluster) throw new Error('a Cluster client has no single connection');
      const ownId = String(await opened.call('CLIENT', 'ID'));
      // Before the subscription, after which this connection takes no other command.
      await opened.call('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', prefix, 'REDIRECT', ownId);
      await opened.subscribe(CHANNEL);
      if (client !== opened) return;
      isLive = true;
      // Nothing was reported until now.
      noteChange(null);
    } catch (error) {
      if (client !== opened || opened.status !== 'ready') return;
      isRefused = true;
      log.info('events.polling', { error });
      void close();
    }
  };

  const close = async (): Promise<void> => {
    clearTimeout(lingering);
    const opened = client;
    client = undefined;
    isLive = false;
    if (opened !== undefined) await closeRedis(opened);
  };

  /** Runs while anything is followed. */
  const run = async (): Promise<void> => {
    isRunning = true;
    listen();
    while (followed.size > 0) {
      await bell.heard(isLive ? READ_WHILE_LIVE_MS : READ_UNREPORTED_MS);
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
        noteChange(null);
      }
    }
    isRunning = false;
    lingering = setTimeout(() => void close(), LINGER_MS).unref();
  };

  const readAll = async (ids: readonly string[]): Promise<void> => {
    // A client that begins to follow during the read knows the record as it was later.
    const asked = ids.map((id) => [...(followed.get(id)?.keys() ?? [])]);
    const stored = await catalog.findStored(ids);
    const gone = ids.filter((id, index) => stored[index] === null && deferred.find(id) === null);
    const deleted = await catalog.findTombstoned(gone);
    for (const [index, id] of ids.entries()) {
      const record = stored[index]?.record ?? deferred.find(id);
      let state: FollowedState | null = record && { kind: 'record', record };
      if (deleted.has(id)) state = { kind: 'deleted' };
      // One that is gone though nobody deleted it may come back: an emptied catalog is refilled.
      if (state === null) continue;
      const seen = stored[index]?.text ?? state.kind;
      const followers = followed.get(id);
      for (const onState of asked[index] ?? []) {
        const last = followers?.get(onState);
        if (last === undefined || last === seen) continue;
        followers?.set(onState, seen);
        onState(state);
      }
    }
  };

  return {
    /** Calls `onState` with the state as it is now, and whenever it differs from the one before. Returns what ends it. */
    follow: ({ id }: Pick<MediaRecord, 'id'>, onState: OnState): (() => void) => {
      const followers = followed.get(id) ?? new Map<OnState, string | null>();
      followed.set(id, followers.set(onState, null));
      if (!isRunning) void run();
      noteChange(id);
      return () => {
        followers.delete(onState);
        if (followers.size === 0 && followed.get(id) === followers) followed.delete(id);
        if (followed.size === 0) bell.ring();
      };
    },
    /** While false, changes are not reported: Redis is away, or refuses to report them. */
    isLive: () => isLive,
    close,
  };
}

/** Wakes its one waiter. A ring without a waiter wakes the next one at once. */
export function createBell() {
  let ring = (): void => undefined;
  const nextRing = () => new Promise<void>((resolve) => (ring = resolve));
  let rung = nextRing();
  return {
    ring: () => ring(),
    heard: async (milliseconds: number): Promise<void> => {
      await withinMs(milliseconds, rung, undefined);
      rung = nextRing();
    },
  };
}
