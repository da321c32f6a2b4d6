import { expect, it, vi } from 'vitest';
import { silentLogger, type LogFields } from '@holdfast/shared/logging';
import { startRedisSandbox } from '@holdfast/shared/testing';
import { startApi } from '../../test/support/running-api.js';

it('tells of a server that was changed while it runs within seconds, and when it is mended', async () => {
  const redis = await startRedisSandbox();
  const api = await startApi(redis);
  const codes = async (): Promise<string[]> => {
    const { body } = await api.call('GET', '/api/media/database/status');
    return body.storage.findings.map(({ code }: { code: string }) => code);
  };
  const soon = { timeout: 4_000, interval: 100 };
  expect(await codes()).not.toContain('EVICTION_POLICY');
  await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await vi.waitFor(async () => expect(await codes()).toContain('EVICTION_POLICY'), soon);
  await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
  await vi.waitFor(async () => expect(await codes()).not.toContain('EVICTION_POLICY'), soon);
  await api.close();
  await redis.close();
}, 15_000);

it('logs what is wrong with the server, not only that something is', async () => {
  const redis = await startRedisSandbox(['--maxmemory-policy', 'allkeys-lru']);
  const logged: [string, LogFields | undefined][] = [];
  const api = await startApi(
    redis,
    {},
    { ...silentLogger, warn: (event, fields) => void logged.push([event, fields]) },
  );
  expect(logged).toContainEqual([
    'redis.finding',
    {
      finding: expect.objectContaining({
        code: 'EVICTION_POLICY',
        message: expect.stringContaining('throw away'),
        fix: expect.stringContaining('noeviction'),
      }),
    },
  ]);
  await api.close();
  await redis.close();
}, 15_000);
