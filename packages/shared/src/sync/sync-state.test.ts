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
  const begin = async () => (await state.begin()).token;
  const first = await begin();
  expect(await begin()).toBeNull();
  await redis.client.flushall();
  const second = await begin();
  await expect(state.renew(first ?? '')).rejects.toMatchObject({ code: 'RUN_SUPERSEDED' });
  await state.release(second ?? '');
  expect(new Set([first, second, await begin(), null]).size).toBe(4);
});
