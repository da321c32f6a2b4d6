import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { aPng } from '../support/api-pair.js';
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

const reads = async (): Promise<number> =>
  Number(/cmdstat_mget:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1] ?? '0');

/** An upload whose client wants to wait, and leaves once it has sent everything. */
async function uploadAndLeave(): Promise<void> {
  const form = new FormData();
  form.set('file', new Blob([new Uint8Array(aPng())]), 'a.png');
  const encoded = new Response(form);
  const type = encoded.headers.get('content-type') ?? '';
  const body = Buffer.from(await encoded.arrayBuffer());
  const socket = connect(api.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const head = [
    'POST /api/media/upload HTTP/1.1',
    'Host: localhost',
    'Prefer: wait=300',
    `Content-Type: ${type}`,
    `Content-Length: ${String(body.length)}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  socket.write(body, () => socket.destroy());
}

it('does not poll Redis for a client that left before its upload was accepted', async () => {
  await Promise.all(Array.from({ length: 40 }, uploadAndLeave));
  await expect.poll(() => api.deps.uploadSlots.running).toBe(0);
  // No worker runs, so nothing is ever verified.
  await expect
    .poll(
      async () => {
        const before = await reads();
        await pause(1_100);
        return (await reads()) - before;
      },
      { timeout: 10_000 },
    )
    .toBeLessThan(5);
});
