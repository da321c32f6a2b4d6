import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../support/running-api.js';

let redis: RedisSandbox;
let emulator: CloudinaryEmulator;
let api: RunningApi;

beforeAll(async () => {
  [redis, emulator] = await Promise.all([startRedisSandbox(), startCloudinaryEmulator()]);
  api = await startApi(redis, { CLOUDINARY_URL: emulator.cloudinaryUrl, TRUST_PROXY: 'true' });
});
afterAll(async () => {
  await api.close();
  await emulator.close();
  await redis.close();
});

const PATH = '/api/media/webhooks/cloudinary';
const LENGTH = 900_000;
const headers = (from: string): Record<string, string> => ({
  'X-Forwarded-For': from,
  'X-Cld-Timestamp': String(Math.floor(Date.now() / 1_000)),
  'X-Cld-Signature': 'a'.repeat(40),
});

/** A notification without its last byte. */
async function beginNotification(
  from: string,
  length: number,
): Promise<{ socket: Socket; answered: Promise<string> }> {
  const socket = connect(api.port, '127.0.0.1');
  socket.on('error', () => undefined);
  const answered = new Promise<string>((resolve) =>
    socket.once('data', (chunk) => resolve(chunk.toString())),
  );
  await once(socket, 'connect');
  const lines = Object.entries({ ...headers(from), Host: 'localhost', 'Content-Length': String(length) });
  socket.write(
    `POST ${PATH} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
  );
  socket.write(Buffer.alloc(length - 1, ' '));
  return { socket, answered };
}

// Thousands of the smaller ones would be hundreds of megabytes, too.
it.each([LENGTH, 60_000])(
  'holds a bounded number of bodies of %i bytes that never end, and reads those of others',
  async (length) => {
    const many = await Promise.all(Array.from({ length: 100 }, () => beginNotification('192.0.2.1', length)));
    // Those beyond the bound are answered; the others wait for their last byte.
    let refused = 0;
    for (const { answered } of many)
      void answered.then((answer) => (refused += answer.includes('"OVERLOADED"') ? 1 : 0));
    await expect.poll(() => refused).toBeGreaterThanOrEqual(100 - 32);
    const send = async (from: string, bytes: number): Promise<number> => {
      const body = Buffer.alloc(bytes, ' ');
      return (await api.request(PATH, { method: 'POST', body, headers: headers(from) })).status;
    };
    // Read to its end: only its signature is wrong.
    expect(await send('192.0.2.2', LENGTH)).toBe(401);
    expect(await send('192.0.2.1', 1_000)).toBe(401);
    for (const { socket } of many) socket.destroy();
  },
);
