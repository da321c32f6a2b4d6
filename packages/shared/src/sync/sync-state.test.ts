import { afterAll, beforeAll, expect, it } from 'vitest';
import { redisKeys } from '../redis/index.js';
import { startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createSyncState } from './index.js';

let redis: RedisSandbox;
beforeAll(async () => {
  redis = await startRedisSandbox();
});
afterAll(() => redis.close());

it('never gives a token twice, also when Redis was emptied between', async () => {
  const state = createSyncState(redis.client, redisKeys('holdfast'));
  const first = await state.acquire();
  expect(await state.acquire()).toBeNull();
  await redis.client.flushall();
  const second = await state.acquire();
  expect(Number(second)).toBeGreaterThan(Number(first));
  await expect(state.renew(first ?? '')).rejects.toMatchObject({ code: 'RUN_SUPERSEDED' });
  await state.release(second ?? '');
  expect(Number(await state.acquire())).toBeGreaterThan(Number(second));
});
