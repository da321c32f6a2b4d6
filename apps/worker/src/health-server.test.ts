import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { freePort } from '@holdfast/shared/testing';
import { createHealthServer } from './health-server.js';

const addressOf = (port: number) => ({ host: '127.0.0.1', port });

it.each([
  ['/livez', 200],
  ['/readyz', 503],
  ['/metrics', 500],
  ['/nothing', 404],
])('names the request in its answer to %s', async (path, status) => {
  const port = await freePort();
  const noFigures = () => Promise.reject(new Error('no figures'));
  const server = createHealthServer(addressOf(port), () => false, noFigures, silentLogger);
  await server.start();
  onTestFinished(() => server.stop(AbortSignal.timeout(1_000)));
  const ask = (headers: Record<string, string>) =>
    fetch(`http://127.0.0.1:${String(port)}${path}`, { headers: { ...headers, Connection: 'close' } });

  const named = await ask({ 'X-Request-Id': 'probe-7' });
  expect([named.status, named.headers.get('x-request-id')]).toEqual([status, 'probe-7']);
  const fresh = await ask({ 'X-Request-Id': 'two words' });
  expect(fresh.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
});

it('holds one answer for a connection that asks 400 times and never reads', async () => {
  const port = await freePort();
  let scrapes = 0;
  const metrics = async () => {
    scrapes += 1;
    return 'x'.repeat(32_000_000);
  };
  const server = createHealthServer(addressOf(port), () => true, metrics, silentLogger);
  await server.start();
  onTestFinished(() => server.stop(AbortSignal.timeout(1_000)));
  const silent = connect(port, '127.0.0.1');
  await once(silent, 'connect');
  silent.pause().write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(400));
  await expect.poll(() => scrapes).toBe(1);
  for (let count = 0; count < 20; count += 1)
    expect((await fetch(`http://127.0.0.1:${String(port)}/livez`)).status).toBe(200);
  expect(scrapes).toBe(1);
  silent.destroy();
});
