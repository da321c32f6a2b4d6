import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../support/running-api.js';

let redis: RedisSandbox;
let api: RunningApi;

beforeAll(async () => {
  redis = await startRedisSandbox();
  api = await startApi(redis);
  for (let count = 0; count < 100; count += 1) await api.addMedia({ description: 'x'.repeat(5_000) });
});

afterAll(async () => {
  await api.close();
  await redis.close();
});

/** In bytes: heap and buffers. */
function held(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const TIMES = 400;

it.each(['/docs/swagger-ui-bundle.js', '/openapi.json', '/api/media?limit=100'])(
  'holds one answer of %s for a connection that asks 400 times and never reads',
  async (path) => {
    const { status, body } = await api.call('GET', path);
    expect(status).toBe(200);
    const size = typeof body === 'string' ? body.length : JSON.stringify(body).length;
    const before = held();
    const silent = connect(api.port, '127.0.0.1');
    silent.pause().write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(TIMES));
    // Those who ask later and read are answered.
    for (let count = 0; count < 100; count += 1) expect((await api.request('/livez')).status).toBe(200);
    expect(held() - before).toBeLessThan(Math.max(0.1 * TIMES * size, 30_000_000));
    silent.destroy();
  },
  60_000,
);

it('shares the memory of a page among all connections that do not read it', async () => {
  const before = held();
  const silent = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const socket = connect(api.port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    }),
  );
  for (const socket of silent)
    socket.pause().write('GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(8));
  for (let count = 0; count < 100; count += 1) expect((await api.request('/livez')).status).toBe(200);
  expect(held() - before).toBeLessThan(50_000_000);
  for (const socket of silent) socket.destroy();
});
