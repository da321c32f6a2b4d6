import { expect, it, onTestFinished } from 'vitest';
import { createServerCheck } from '@holdfast/shared/durability';
import { readSettings } from '@holdfast/shared/config';
import { silentLogger } from '@holdfast/shared/logging';
import { closeRedis, connectRedis, redisProfiles } from '@holdfast/shared/redis';
import { startManagedRedis, upstashErrors } from '@holdfast/shared/testing';
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
    settings,
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
