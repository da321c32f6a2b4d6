import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../support/running-api.js';

let redis: RedisSandbox;
let api: RunningApi;

beforeAll(async () => {
  redis = await startRedisSandbox();
  api = await startApi(redis);
});
afterAll(async () => {
  await api.close();
  await redis.close();
});

const commands = async (): Promise<number> =>
  Number(/total_commands_processed:(\d+)/.exec(await redis.client.info('stats'))?.[1]);

it.each(['/metrics', '/api/media/database/status', '/api/media/sync/status'])(
  'asks Redis once for many who ask for %s at once',
  async (path) => {
    const cost = async (clients: number): Promise<number> => {
      const before = await commands();
      const answers = await Promise.all(Array.from({ length: clients }, () => api.request(path)));
      for (const answer of answers) {
        expect(answer.status).toBe(200);
        await answer.text();
      }
      return (await commands()) - before;
    };
    await cost(1);
    const one = await cost(1);
    // They do not all come while the first is answered.
    expect(await cost(60)).toBeLessThan(20 * one);
  },
);
