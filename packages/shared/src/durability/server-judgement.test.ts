import { expect, it, onTestFinished, vi } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import { closeRedis, connectRedis, redisKeys, redisProfiles } from '../redis/index.js';
import { startManagedRedis, startMovingSlot, upstashErrors } from '../testing/index.js';
import { createServerCheck } from './server-check.js';
import { createServerJudgement } from './server-judgement.js';

it('notices the successor of an unsuitable server, also one that refused to be looked at first', async () => {
  const redis = await startManagedRedis({ answers: { MULTI: "-ERR unknown command 'MULTI'" } });
  onTestFinished(() => redis.close());
  const { redis: settings, durability } = readSettings(redis.env);
  const client = connectRedis(settings.connection, 'background', silentLogger);
  onTestFinished(() => closeRedis(client));
  const seen: boolean[] = [];
  const warned: string[] = [];
  const log = { ...silentLogger, warn: (event: string) => void warned.push(event) };
  const check = createServerCheck({ examination: { redis: settings, examined: null }, durability, log });
  const onFacts = (_: unknown, isSuitable: boolean): void => void seen.push(isSuitable);
  const judgement = createServerJudgement({
    redis: client,
    settings: { redis: settings, durability },
    freshMs: 60_000,
    profile: redisProfiles.standard,
    check,
    onFacts,
    log,
  });
  onTestFinished(() => judgement.close());
  await expect.poll(() => seen.at(-1)).toBe(false);
  const quota = { left: 1, error: upstashErrors.quota, free: ['HELLO', 'AUTH', 'CLIENT'] };
  await redis.configure({ answers: {}, quota });
  await redis.server.restart();
  await expect.poll(() => warned, { timeout: 5_000 }).toContain('server.not_judged');
  await redis.configure({ quota: null });
  await expect.poll(() => seen.at(-1), { timeout: 15_000 }).toBe(true);
});

it('judges the server that holds our keys now, after their slot has moved', async () => {
  const slots = await startMovingSlot(redisKeys(readSettings({}).redis.prefix).barrier);
  onTestFinished(() => slots.close());
  await slots.to.client.config('SET', 'appendfsync', 'no');
  const { redis, durability } = readSettings({ ...slots.env, DURABILITY_REPLICAS: '0' });
  const client = connectRedis(redis.connection, 'request', silentLogger);
  onTestFinished(() => closeRedis(client));
  await new Promise<void>((resolve) => void client.once('ready', () => resolve()));
  const judgement = createServerJudgement({
    redis: client,
    settings: { redis, durability },
    freshMs: 2_000,
    profile: redisProfiles.standard,
    check: createServerCheck({ examination: { redis, examined: null }, durability, log: silentLogger }),
    log: silentLogger,
  });
  onTestFinished(() => judgement.close());
  const codes = async (): Promise<string[]> => (await judgement.findings()).map(({ code }) => code);
  expect(await codes()).toEqual([]);
  await slots.finish();
  await vi.waitFor(async () => expect(await codes()).toEqual(['FSYNC_EVERYSEC']), { interval: 200 });
});
