import { Redis } from 'ioredis';
import { expect, it, vi } from 'vitest';
import { redisKeys } from '@holdfast/shared/redis';
import type { RedisSandbox } from '@holdfast/shared/testing';
import { aPng } from './harness/client.js';
import { deploymentOf } from './harness/deployment.js';

/**
 * What the processes send, script by script one command; those inside scripts, and what the test itself sends over `redis.client`, not. A
 * look of the worker's watch may come at any moment: it is left out here and counted apart.
 */
async function sent(redis: RedisSandbox, work: () => Promise<unknown>): Promise<string[]> {
  const own = / addr=(\S+)/.exec((await redis.client.call('CLIENT', 'INFO')) as string)?.[1];
  const opener = new Redis(redis.url, { maxRetriesPerRequest: null });
  const watcher = await opener.monitor();
  opener.disconnect();
  const commands: string[] = [];
  let isOver = false;
  watcher.on('monitor', (_at: string, words: string[], source: string) => {
    const isLook = words.includes('{holdfast}:save:active') && words.includes('{holdfast}:born');
    if (words.includes('the end')) isOver = true;
    else if (source !== 'lua' && source !== own && !isLook) commands.push((words[0] ?? '').toLowerCase());
  });
  await work();
  await redis.client.echo('the end');
  await vi.waitFor(() => expect(isOver).toBe(true));
  watcher.disconnect();
  return commands;
}

it('spends at most 15 commands on a lone upload and 3 on a health poll where commands are billed', async (context) => {
  const deployment = await deploymentOf(context, 'cloudinary', { REDIS_PROFILE: 'upstash' });
  const { redis } = deployment;
  const keys = redisKeys('holdfast');
  const [{ client }] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
  await vi.waitFor(
    async () => expect((await redis.client.hget(keys.syncState, 'lastFullRun')) ?? null).not.toBeNull(),
    {
      timeout: 30_000,
    },
  );
  const isIdle = async (): Promise<void> => {
    const busy = ['save', 'verify', 'sync'].map((queue) => `{holdfast}:${queue}:active`);
    expect(await redis.client.exists(...busy, keys.intents)).toBe(0);
  };
  const upload = async (): Promise<void> => {
    expect((await client.upload(aPng())).status).toBe(202);
    await vi.waitFor(isIdle, { timeout: 20_000, interval: 50 });
  };
  const poll = async (): Promise<unknown> => (await client.call('/api/media/health')).body['measuredAt'];
  // Where it started before the worker had begun the catalog, the API still looks for its epoch. This tells it.
  expect((await client.call('/api/media/unknown')).status).toBe(404);
  // The first of each has scripts to load.
  await upload();
  await upload();
  const measured = await sent(redis, poll);
  expect(measured.filter((command) => command !== 'eval').toSorted()).toEqual([
    'evalsha',
    'getdel',
    'waitaof',
  ]);

  const uploads = [await sent(redis, upload), await sent(redis, upload), await sent(redis, upload)];
  for (const commands of uploads) expect(commands.length).toBeLessThanOrEqual(15);
  expect(await sent(redis, poll)).toEqual([]);
});
