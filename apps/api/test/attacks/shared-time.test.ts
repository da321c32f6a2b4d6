import { once } from 'node:events';
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { aPng, upload } from '../support/api-pair.js';
import { startApi, type RunningApi } from '../support/running-api.js';

let redis: RedisSandbox;
let api: RunningApi;

beforeAll(async () => {
  redis = await startRedisSandbox();
  api = await startApi(redis, {
    API_KEYS: 'modest:write:modest-secret,greedy:write:greedy-secret,reader:read:reader-secret',
  });
});
afterAll(async () => {
  await api.close();
  await redis.close();
});

const UPLOADS = 100;
/** Where they were not held back, 35 to 41. */
const MOST_FOR_EACH_UPLOAD = 20;
const CONNECTIONS = 64;
const PROBES = 10;
const modest = { headers: { 'X-API-Key': 'modest-secret' } };

/** Sends the request again as soon as it is answered, on many connections. */
async function askWithoutPause(request: string): Promise<{ answers: number }> {
  const asked = { answers: 0 };
  const sockets: Socket[] = [];
  onTestFinished(() => sockets.forEach((socket) => void socket.destroy()));
  for (let n = 0; n < CONNECTIONS; n += 1) {
    const socket = connect(api.port, '127.0.0.1').setEncoding('latin1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (text: string) => {
      for (const _ of text.matchAll(/HTTP\/1\.1 \d/g)) {
        asked.answers += 1;
        socket.write(request);
      }
    });
    await once(socket, 'connect');
    socket.write(request);
  }
  return asked;
}

/** Eight at a time. */
async function uploadAll(): Promise<void> {
  for (let n = 0; n < UPLOADS; n += 8) {
    const sent = await Promise.all(Array.from({ length: 8 }, () => upload(api, aPng(), modest)));
    expect(sent.map(({ status }) => status)).toEqual(sent.map(() => 202));
  }
}

it.each([
  ['/livez', ''],
  ['/nothing', ''],
  ['/openapi.json', 'Accept-Encoding: gzip\r\n'],
  ['/api/media', 'X-API-Key: unknown\r\n'],
  ['/api/media/01K00000000000000000000000', 'X-API-Key: reader-secret\r\n'],
])(
  'answers few of those who ask for %s without a pause while others upload',
  async (path, headers) => {
    const asked = await askWithoutPause(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
    for (let n = 0; n < 10; n += 1) await upload(api, aPng(), modest);
    const before = asked.answers;
    for (let n = 0; n < UPLOADS; n += 8) {
      const sent = await Promise.all(Array.from({ length: 8 }, () => upload(api, aPng(), modest)));
      expect(sent.map(({ status }) => status)).toEqual(sent.map(() => 202));
    }
    expect(asked.answers - before).toBeLessThan(MOST_FOR_EACH_UPLOAD * UPLOADS);
  },
  60_000,
);

/** The status of a probe of another machine, as far as addresses tell. */
const probe = (path: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const options = { port: api.port, host: '127.0.0.1', localAddress: '127.0.0.2', path, agent: false };
    get(options, (res) => resolve(res.resume().statusCode)).on('error', reject);
  });

it.each(['/nothing', '/livez'])(
  'answers probes of others at once beside those who ask for %s',
  async (path) => {
    const asked = await askWithoutPause(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await upload(api, aPng(), modest);
    const uploads = Array.from({ length: 20 }, () => upload(api, aPng(), modest));
    const before = asked.answers;
    for (let n = 0; n < PROBES; n += 1) expect(await probe(n % 2 === 0 ? '/livez' : '/readyz')).toBe(200);
    // Of all of them together: a single one may meet the moment in which the process finds out that it is busy.
    expect(asked.answers - before).toBeLessThan(PROBES * CONNECTIONS);
    await Promise.all(uploads);
  },
);

it('accepts few uploads of a client that sends chunks of one byte, each of which ends its connection', async () => {
  const head = [
    'POST /api/media/upload HTTP/1.1',
    'Host: localhost',
    'X-API-Key: greedy-secret',
    'Content-Type: multipart/form-data; boundary=b',
    'Transfer-Encoding: chunked',
  ].join('\r\n');
  const form = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n';
  const body = `${form.length.toString(16)}\r\n${form}\r\n${'1\r\nx\r\n'.repeat(20_000)}`;
  let cut = 0;
  let isOver = false;
  onTestFinished(() => void (isOver = true));
  const sendAgain = (): void => {
    if (isOver) return;
    const socket = connect(api.port, '127.0.0.1').resume();
    socket.on('error', () => undefined);
    socket.once('close', () => {
      cut += 1;
      sendAgain();
    });
    socket.write(`${head}\r\n\r\n${body}`);
  };
  for (let n = 0; n < 8; n += 1) sendAgain();
  await expect.poll(() => cut, { timeout: 10_000 }).toBeGreaterThan(8);
  const before = cut;
  await uploadAll();
  // Where they were not held back, 361.
  expect(cut - before).toBeLessThan(UPLOADS);
}, 60_000);
