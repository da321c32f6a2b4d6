import { expect, it, vi } from 'vitest';
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
