import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { createCatalog, type Catalog } from '@holdfast/shared/catalog';
import { redisKeys } from '@holdfast/shared/redis';
import { createSyncState, type SyncState } from '@holdfast/shared/sync';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { watchRebuilding } from './rebuilding.js';

let redis: RedisSandbox;
const keys = redisKeys('rebuilding');

beforeAll(async () => {
  redis = await startRedisSandbox();
});

afterAll(() => redis.close());

const recovery = (over: object = {}): string =>
  JSON.stringify({ run: { trigger: 'recovery', created: 0, findings: [], ...over }, progress: {} });

const watching = (
  over: {
    syncState?: Pick<SyncState, 'readRefill'>;
    catalog?: Pick<Catalog, 'epoch'>;
    isNew?: () => Promise<boolean>;
  } = {},
) =>
  watchRebuilding(
    over.syncState ?? createSyncState(redis.client, keys),
    over.catalog ?? createCatalog(redis.client, keys),
    over.isNew ?? (() => Promise.resolve(true)),
  );

it('is on from the loss of the catalog until its recovery has run', async () => {
  const { client } = redis;
  const rebuilding = watching();
  const isOn = () => rebuilding.isOn();
  // New: nothing was lost.
  expect(await isOn()).toBe(false);
  await client.set(keys.epoch, '1');
  expect(await isOn()).toBe(false);
  await client.flushall();
  expect(await isOn()).toBe(true);
  expect(await isOn()).toBe(true);
  // The worker starts a new catalog, and its run.
  await client.set(keys.epoch, '2');
  expect(await isOn()).toBe(true);
  await client.set(keys.syncRun, recovery());
  expect(await isOn()).toBe(true);
  // A run that ended without having looked at the whole host has not refilled it.
  await client.del(keys.syncRun);
  expect(await isOn()).toBe(true);
  await client.hset(keys.syncState, 'lastFullAt', '2026-01-01T00:00:00.000Z');
  expect(await isOn()).toBe(false);
});

it('is on for a process that began after the loss, where the host has media', async () => {
  const { client } = redis;
  await client.flushall();
  await client.set(keys.epoch, '3');
  const begun = (isNew: boolean) => watching({ isNew: () => Promise.resolve(isNew) });
  expect(await begun(true).isOn()).toBe(false);
  expect(await begun(false).isOn()).toBe(true);
});

it('is off in the first run of a new deployment, which has nothing to bring back', async () => {
  const { client } = redis;
  await client.flushall();
  const begun = (isNew: boolean) => watching({ isNew: () => Promise.resolve(isNew) });
  const [fresh, late] = [begun(true), begun(false)];
  expect(await fresh.isOn()).toBe(false);
  await client.set(keys.epoch, '1');
  await client.set(keys.syncRun, recovery());
  expect(await fresh.isOn()).toBe(false);
  expect(await late.isOn()).toBe(true);
  // Any later one brings back what was lost.
  await client.hset(keys.syncState, 'lastFullAt', '2026-01-01T00:00:00.000Z');
  expect(await begun(true).isOn()).toBe(true);
});

it('is on while the first run finds files on the host, also where this process saw an empty one', async () => {
  const { client } = redis;
  await client.flushall();
  const rebuilding = watching();
  await client.set(keys.epoch, '1');
  expect(await rebuilding.isOn()).toBe(false);
  await client.set(keys.syncRun, recovery({ created: 1 }));
  expect(await rebuilding.isOn()).toBe(true);
});

it('is off for who looks first when the recovery has run', async () => {
  const { client } = redis;
  await client.flushall();
  const rebuilding = watching();
  await client.set(keys.epoch, '1');
  await client.hset(keys.syncState, 'lastFullAt', '2026-01-01T00:00:00.000Z');
  expect(await rebuilding.isOn()).toBe(false);
  await client.flushall();
  await client.set(keys.epoch, '2');
  await client.hset(keys.syncState, 'lastFullAt', '2026-01-02T00:00:00.000Z');
  expect(await rebuilding.isOn()).toBe(false);
});

it('notices at once that the catalog is gone', async () => {
  const { client } = redis;
  const rebuilding = watching();
  await client.set(keys.epoch, '1');
  expect(await rebuilding.isOn()).toBe(false);
  await client.flushall();
  expect(await rebuilding.isOn()).toBe(true);
});

it('notices the loss of a catalog that a worker began after this process, and that nobody asked for', async () => {
  const { client } = redis;
  await client.flushall();
  const rebuilding = watching();
  const stopped = new AbortController();
  onTestFinished(() => stopped.abort());
  await rebuilding.begin(stopped.signal);
  await client.set(keys.epoch, '1');
  await vi.waitFor(() => expect(rebuilding.knownEpoch()).toBe('1'));
  await client.flushall();
  expect(await rebuilding.isOn()).toBe(true);
});

it('keeps looking for the epoch while Redis does not answer, and does not mistake a later one for the first', async () => {
  await redis.client.flushall();
  const epoch = vi.fn<() => Promise<string | null>>();
  const looking = new AbortController();
  onTestFinished(() => looking.abort());
  let answer: (epoch: string) => void = () => undefined;
  epoch.mockResolvedValueOnce(null).mockRejectedValueOnce(new Error('away'));
  epoch.mockImplementationOnce(() => new Promise((resolve) => (answer = resolve)));
  const rebuilding = watching({ catalog: { epoch } });
  await rebuilding.begin(looking.signal);
  await vi.waitFor(() => expect(epoch).toHaveBeenCalledTimes(3));
  epoch.mockResolvedValue('2');
  await rebuilding.isOn();
  answer('1');
  await new Promise(setImmediate);
  expect(rebuilding.knownEpoch()).toBe('2');
});

it('does not forget the loss where one look gets no answer', async () => {
  const { client } = redis;
  await client.flushall();
  const state = createSyncState(client, keys);
  let isAway = false;
  const readRefill: typeof state.readRefill = () =>
    isAway ? Promise.reject(new Error('no answer')) : state.readRefill();
  const rebuilding = watching({ syncState: { ...state, readRefill } });
  await client.set(keys.epoch, '1');
  expect(await rebuilding.isOn()).toBe(false);
  await client.flushall();
  await client.set(keys.epoch, '2');
  expect(await rebuilding.isOn()).toBe(true);
  isAway = true;
  expect(await rebuilding.isOn()).toBe(false);
  isAway = false;
  expect(await rebuilding.isOn()).toBe(true);
});

it('does not take a catalog for known of which it could not read whether it was refilled', async () => {
  const { client } = redis;
  await client.flushall();
  const state = createSyncState(client, keys);
  const readRefill = vi.fn<typeof state.readRefill>(state.readRefill);
  const rebuilding = watching({ syncState: { ...state, readRefill } });
  await client.set(keys.epoch, '1');
  await rebuilding.isOn();
  await client.set(keys.epoch, '2');
  readRefill.mockRejectedValueOnce(new Error('no answer'));
  await rebuilding.isOn();
  expect(rebuilding.knownEpoch()).toBe('1');
  expect(await rebuilding.isOn()).toBe(true);
  expect(rebuilding.knownEpoch()).toBe('2');
});
