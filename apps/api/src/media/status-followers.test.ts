import { EventEmitter } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createCatalog, type StoredRecord } from '@holdfast/shared/catalog';
import { readSettings } from '@holdfast/foundation/config';
import { createBackoff } from '@holdfast/foundation/lifecycle';
import { silentLogger } from '@holdfast/foundation/logging';
import { closeRedis, connectRedis, redisKeys, type RedisClient } from '@holdfast/shared/redis';
import { aRecord, proofOf, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { createStatusFollowers, type FollowedState } from './status-followers.js';

const deferred = { find: () => null };
const keys = redisKeys('holdfast');
/** Of followers whose Redis reports no changes. */
const unreported = {
  deferred,
  connect: () => Object.assign(new EventEmitter(), { status: 'end' }) as RedisClient,
  keys,
  log: silentLogger,
};

it('rests after a read for longer than it took, so that no number of followers keeps the process busy', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  let reads = 0;
  const findStored = async (ids: readonly string[]): Promise<null[]> => {
    reads += 1;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return ids.map(() => null);
  };
  const findTombstoned = (): Promise<Set<string>> => Promise.resolve(new Set());
  const followers = createStatusFollowers({ ...unreported, catalog: { findStored, findTombstoned } });
  const stop = followers.follow(aRecord(), () => undefined);
  await vi.advanceTimersByTimeAsync(6_000);
  stop();
  expect(reads).toBeGreaterThan(5);
  expect(reads).toBeLessThanOrEqual(10);
});

it('reads soon after Redis is back, however long it was away', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const record = aRecord();
  const now = { ...record, title: 'changed while Redis was away' };
  const { id, status } = record;
  const stored = {
    id,
    status,
    record: now,
    pushedRevision: 1,
    mergeBase: null,
    sequence: 1,
    content: '',
    text: '',
  };
  let isAway = true;
  const findStored = (ids: readonly string[]): Promise<StoredRecord[]> =>
    isAway ? Promise.reject(new Error('away')) : Promise.resolve(ids.map(() => stored));
  const findTombstoned = (): Promise<Set<string>> => Promise.resolve(new Set());
  const rests = createBackoff();
  const followers = createStatusFollowers({
    ...unreported,
    catalog: { findStored, findTombstoned },
    rests,
  });
  const states: FollowedState[] = [];
  onTestFinished(followers.follow(record, (state) => states.push(state)));
  await vi.advanceTimersByTimeAsync(25_000);
  isAway = false;
  rests.reset();
  await vi.advanceTimersByTimeAsync(50);
  expect(states).toEqual([{ kind: 'record', record: now }]);
});

describe('with a server that reports changes', () => {
  let redis: RedisSandbox;
  beforeAll(async () => {
    redis = await startRedisSandbox();
  });
  afterAll(() => redis.close());

  const listeners = async (): Promise<number> =>
    String(await redis.client.client('LIST')).split('holdfast-events').length - 1;
  const trackers = async (): Promise<string> =>
    /tracking_clients:(\d+)/.exec(await redis.client.info('clients'))?.[1] ?? '';

  /** Followers of a process of its own, allowed what this user of Redis may do. */
  function aProcess(user = 'default', password = 'x') {
    const url = new URL(redis.url);
    if (user !== 'default') [url.username, url.password] = [user, password];
    const { connection } = readSettings({ REDIS_URL: url.href }).redis;
    const request = connectRedis(connection, 'request', silentLogger);
    const catalog = createCatalog(request, keys);
    const read = vi.spyOn(catalog, 'findStored');
    const followers = createStatusFollowers({
      catalog,
      deferred,
      connect: () => connectRedis(connection, 'events', silentLogger),
      keys,
      log: silentLogger,
    });
    onTestFinished(async () => {
      await followers.close();
      await closeRedis(request);
    });
    const follow = (record: ReturnType<typeof aRecord>): FollowedState[] => {
      const states: FollowedState[] = [];
      onTestFinished(followers.follow(record, (state) => states.push(state)));
      return states;
    };
    const isLive = () => vi.waitFor(() => expect(followers.isLive()).toBe(true));
    return { followers, follow, read, isLive };
  }
  const elsewhere = () => createCatalog(redis.client, keys);
  async function verified() {
    const record = aRecord();
    await elsewhere().save(record);
    await elsewhere().markVerified('fsynced', new Date(), [proofOf(record)]);
    return (await elsewhere().find(record.id)) ?? record;
  }

  it('shows a change at once', async () => {
    const { follow, isLive } = aProcess();
    const record = await verified();
    const states = follow(record);
    await isLive();
    const since = performance.now();
    await elsewhere().markMissing([record.id], null);
    await vi.waitFor(() => expect(states.at(-1)).toMatchObject({ record: { status: 'missing' } }), {
      interval: 2,
    });
    // Without the report it would be read five seconds after the last read.
    expect(performance.now() - since).toBeLessThan(2_000);
  });

  it('reads nothing for changes of records that nobody follows', async () => {
    const { follow, read, isLive } = aProcess();
    const [followed, other] = [await verified(), await verified()];
    const states = follow(followed);
    await isLive();
    await elsewhere().markMissing([other.id], null);
    await elsewhere().markMissing([followed.id], null);
    await vi.waitFor(() => expect(states.at(-1)).toMatchObject({ record: { status: 'missing' } }));
    expect(new Set(read.mock.calls.flatMap(([ids]) => ids))).toEqual(new Set([followed.id]));
  });

  it('has a connection only while somebody follows, and for a while after', async () => {
    const { followers, isLive } = aProcess();
    const record = await verified();
    expect([await listeners(), await trackers()]).toEqual([0, '0']);
    const stop = followers.follow(record, () => undefined);
    await isLive();
    expect([await listeners(), await trackers()]).toEqual([1, '1']);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    stop();
    await vi.advanceTimersByTimeAsync(31_000);
    vi.useRealTimers();
    await vi.waitFor(async () => expect([await listeners(), await trackers()]).toEqual([0, '0']));
  });

  it('continues after its connection was lost, and misses nothing of that time', async () => {
    const { follow, isLive } = aProcess();
    const record = await verified();
    const states = follow(record);
    await isLive();
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await elsewhere().markMissing([record.id], null);
    await vi.waitFor(() => expect(states.at(-1)).toMatchObject({ record: { status: 'missing' } }));
    await isLive();
    await elsewhere().restore([record.id], null);
    await vi.waitFor(() => expect(states.at(-1)).toMatchObject({ record: { status: 'saving' } }));
  });

  it('reads at once when changes are no longer tracked', async () => {
    const { followers, follow, read, isLive } = aProcess();
    follow(await verified());
    await isLive();
    await vi.waitFor(() => expect(read).toHaveBeenCalled());
    read.mockClear();
    const since = performance.now();
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await vi.waitFor(() => expect(read).toHaveBeenCalled(), { interval: 2 });
    expect(performance.now() - since).toBeLessThan(2_000);
    await vi.waitFor(() => expect(followers.isLive()).toBe(true));
  });

  it.each([
    ['CLIENT TRACKING', ['~*', '&*', '+@all', '-client|tracking']],
    ['the channel', ['~*', 'resetchannels', '+@all']],
  ])('reads from time to time where the user may not use %s', async (_what, rights) => {
    await redis.client.call('ACL', 'SETUSER', 'some', 'reset', 'on', '>secret', ...rights);
    const { followers, follow } = aProcess('some', 'secret');
    const record = await verified();
    const states = follow(record);
    await elsewhere().markMissing([record.id], null);
    await vi.waitFor(() => expect(states.at(-1)).toMatchObject({ record: { status: 'missing' } }));
    await vi.waitFor(async () => expect(await listeners()).toBe(0));
    expect(followers.isLive()).toBe(false);
  });
});
