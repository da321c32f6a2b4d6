import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, afterEach, expect, it, vi } from 'vitest';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { aPng, upload } from '../support/api-pair.js';
import { startApi, type RunningApi } from '../support/running-api.js';

const SLOTS = 16;

let redis: RedisSandbox;
let api: RunningApi;
let slow: Socket[];
let answers: string[];

beforeAll(async () => {
  redis = await startRedisSandbox();
});
afterAll(() => redis.close());

beforeEach(async () => {
  api = await startApi(redis, {
    API_KEYS: 'greedy:write:greedy-secret,modest:write:modest-secret',
    UPLOAD_MAX_CONCURRENT: String(SLOTS),
  });
  answers = [];
  slow = await Promise.all(Array.from({ length: SLOTS }, beginUpload));
  await vi.waitUntil(() => api.deps.uploadSlots.running === SLOTS, { timeout: 10_000 });
});
afterEach(async () => {
  for (const socket of slow) socket.destroy();
  await api.close();
});

/** An upload of which a byte comes now and then. */
async function beginUpload(): Promise<Socket> {
  const socket = connect(api.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => answers.push(chunk.toString()));
  await once(socket, 'connect');
  const head = [
    'POST /api/media/upload HTTP/1.1',
    'Host: localhost',
    'X-API-Key: greedy-secret',
    'Content-Type: multipart/form-data; boundary=b',
    'Content-Length: 100000',
  ];
  socket.write(
    `${head.join('\r\n')}\r\n\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n`,
  );
  return socket;
}

const modest = { headers: { 'X-API-Key': 'modest-secret' } };

it('accepts the uploads of others while one key has all slots, and is ready for them', async () => {
  expect((await api.call('GET', '/readyz')).status).toBe(200);
  const sent = await Promise.all(Array.from({ length: SLOTS / 2 }, () => upload(api, aPng(), modest)));
  expect(sent.map(({ status }) => status)).toEqual(sent.map(() => 202));
  const given = answers.filter(
    (answer) => answer.startsWith('HTTP/1.1 503') && answer.includes('"OVERLOADED"'),
  );
  expect(given.length).toBeGreaterThan(0);
  expect(given[0]).toContain('Retry-After');
});

it('refuses one more of the key that has all of them', async () => {
  const greedy = { headers: { 'X-API-Key': 'greedy-secret' } };
  const { status, body } = await upload(api, aPng(), greedy);
  expect({ status, code: body.code }).toEqual({ status: 503, code: 'OVERLOADED' });
  expect(answers).toEqual([]);
});
