import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { closeRedis, connectRedis, isReadyWithin, redisKeys } from '@holdfast/shared/redis';
import { createSyncState } from '@holdfast/shared/sync';
import { startRedisSandbox } from '@holdfast/shared/testing';
import { holdLease } from './sync-session.js';

// Only what the lease goes by: the connections to Redis need real time.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
afterEach(() => void vi.useRealTimers());

it('is lost once Redis has not been heard for as long as it lasts, for another may have it by then', async () => {
  const redis = await startRedisSandbox();
  onTestFinished(() => redis.close());
  const client = connectRedis(redis.settings.connection, 'background', silentLogger);
  onTestFinished(() => closeRedis(client));
  await isReadyWithin(client, 5_000);
  const state = createSyncState(client, redisKeys('holdfast'));
  const renew = vi.spyOn(state, 'renew');
  /** Lets the time pass, and the renewals that fall into it be answered or fail. */
  const pass = async (ms: number): Promise<void> => {
    vi.advanceTimersByTime(ms);
    await Promise.allSettled(renew.mock.results.map(({ value }) => value as Promise<void>));
  };

  const { lease } = await holdLease(
    { state, host: { budget: () => null, meteredCalls: () => 0 } },
    new AbortController().signal,
  );
  if (lease === null) throw new Error('another has the lease');
  onTestFinished(() => lease.release());
  await pass(5_000);
  await redis.kill();
  await pass(15_000);
  expect(lease.signal.aborted).toBe(false);
  await pass(5_000);
  expect(lease.signal.reason).toMatchObject({ code: 'RUN_SUPERSEDED' });
});
