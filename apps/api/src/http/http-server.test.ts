import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi } from '../../test/support/running-api.js';

let redis: RedisSandbox;

beforeAll(async () => {
  redis = await startRedisSandbox();
});

afterAll(() => redis.close());

async function aConnection(port: number) {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  return { socket, closed, received: () => received };
}

const GET = 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n';

describe('stopping', () => {
  it('ends idle connections at once and takes no new ones', async () => {
    const api = await startApi(redis);
    const idle = await aConnection(api.port);
    idle.socket.write(GET);
    await vi.waitFor(() => expect(idle.received()).toContain('"ok"'));
    const start = performance.now();
    await api.stop(AbortSignal.timeout(10_000));
    await idle.closed;
    expect(performance.now() - start).toBeLessThan(2_000);
    await expect(api.request('/livez')).rejects.toThrow(/fetch failed/);
    await api.close();
  });

  it('answers what is under way, and a wait for a result with what is known', async () => {
    const api = await startApi(redis);
    const waiting = api.call('POST', '/api/media/sync-cloudinary', undefined, { Prefer: 'wait=60' });
    await vi.waitFor(async () => expect(await api.deps.queues.queues.sync.count()).toBe(1));
    await api.stop(AbortSignal.timeout(10_000));
    expect((await waiting).status).toBe(202);
    await api.close();
  });

  it('cuts a request that never ends when its time is up', async () => {
    const api = await startApi(redis);
    const crawling = await aConnection(api.port);
    crawling.socket.write(
      'PATCH /api/media/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    );
    await vi.waitFor(async () => expect((await api.request('/livez')).status).toBe(200));
    const start = performance.now();
    await api.stop(AbortSignal.timeout(1_000));
    await crawling.closed;
    expect(performance.now() - start).toBeGreaterThanOrEqual(900);
    expect(performance.now() - start).toBeLessThan(3_000);
    await api.close();
  });

  it('is safe twice and refuses uploads meanwhile', async () => {
    const api = await startApi(redis);
    await Promise.all([api.stop(AbortSignal.timeout(1_000)), api.stop(AbortSignal.timeout(1_000))]);
    expect(api.deps.shutdown.draining.aborted).toBe(true);
    await api.close();
  });
});

it('says on a kept connection that it is the last answer while it stops', async () => {
  const api = await startApi(redis);
  const kept = await aConnection(api.port);
  api.deps.shutdown.drain();
  kept.socket.write(GET);
  await kept.closed;
  expect(kept.received()).toMatch(/Connection: close/i);
  await api.close();
});

it('starts with any limit of bytes', async () => {
  const api = await startApi(redis, { UPLOAD_MAX_BYTES: '1234567' });
  expect((await api.request('/livez')).status).toBe(200);
  await api.close();
});

it('does not start where the port is taken', async () => {
  const api = await startApi(redis);
  await expect(startApi(redis, { PORT: String(api.port) })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    errors: [{ path: 'PORT' }],
  });
  await api.close();
});
