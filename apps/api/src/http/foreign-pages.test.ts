import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, onePixelPng, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { rawRequest } from '../../test/support/raw-request.js';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

let redis: RedisSandbox;
let open: RunningApi;
let shared: RunningApi;
let named: RunningApi;
/** PUBLIC_URL hides the port that was bound. */
let namedPort: number;
let network: RunningApi;

beforeAll(async () => {
  redis = await startRedisSandbox();
  namedPort = await freePort();
  [open, shared, named, network] = await Promise.all([
    startApi(redis),
    startApi(redis, { CORS_ORIGINS: 'https://app.example.com' }),
    startApi(redis, { PUBLIC_URL: 'https://media.example.com', PORT: String(namedPort) }),
    startApi(redis, { HOST: '0.0.0.0' }),
  ]);
});

afterAll(async () => {
  await Promise.all([open, shared, named, network].map((api) => api.close()));
  await redis.close();
});

const refused = { status: 403, code: 'CROSS_SITE' };
const elsewhere: Record<string, string>[] = [
  { Origin: 'https://evil.example.com', 'Sec-Fetch-Site': 'cross-site' },
  { Origin: 'http://localhost:1', 'Sec-Fetch-Site': 'same-site' },
  { Origin: 'null' },
  { 'Sec-Fetch-Site': 'cross-site' },
];

describe('where no key is configured, a page of another site', () => {
  it.each(elsewhere)('uploads nothing by a form: %o', async (headers) => {
    const body = new FormData();
    body.append('file', new Blob([onePixelPng]), 'a.png');
    const answer = await open.request('/api/media/upload', { method: 'POST', body, headers });
    expect(await answer.json()).toMatchObject(refused);
    expect((await open.call('GET', '/api/media')).body.total).toBe(0);
  });

  it.each([
    ['POST', '/api/media/sync-cloudinary'],
    ['GET', '/api/media/sync-cloudinary'],
    ['PATCH', '/api/media/01K00000000000000000000000'],
    ['DELETE', '/api/media/01K00000000000000000000000'],
    ['PUT', '/admin/queues/api/queues/save/pause'],
  ])('cannot %s %s', async (method, path) => {
    for (const headers of elsewhere)
      expect((await open.call(method, path, undefined, headers)).body).toMatchObject(refused);
    const own = await open.call(method, path, undefined, {
      Origin: open.url,
      'Sec-Fetch-Site': 'same-origin',
    });
    expect(own.status).not.toBe(403);
    expect((await open.call(method, path)).status).not.toBe(403);
  });

  it('reads, and sends notifications, as before', async () => {
    for (const headers of elsewhere) {
      expect((await open.call('GET', '/api/media', undefined, headers)).status).toBe(200);
      const notified = await open.call('POST', '/api/media/webhooks/cloudinary', {}, headers);
      expect(notified.body.code).toBe('NOT_SUPPORTED');
    }
  });

  it('may change things when CORS_ORIGINS lists it, and only then', async () => {
    const start = async (api: RunningApi, Origin: string): Promise<number> => {
      const headers = { Origin, 'Sec-Fetch-Site': 'cross-site' };
      return (await api.call('POST', '/api/media/sync-cloudinary', undefined, headers)).status;
    };
    expect(await start(shared, 'https://app.example.com')).toBe(202);
    expect(await start(shared, 'https://evil.example.com')).toBe(403);
    const all = await startApi(redis, { CORS_ORIGINS: '*' });
    expect(await start(all, 'https://evil.example.com')).toBe(202);
    await all.close();
  });
});

describe('where no key is configured, a Host that another site has pointed at this machine', () => {
  /** The answer over a raw connection, whatever port PUBLIC_URL names. */
  const answerTo = (api: RunningApi, ...head: string[]): Promise<string> =>
    rawRequest(api === named ? namedPort : api.port, [...head, 'Connection: close', '', ''].join('\r\n'));
  const statusOf = async (api: RunningApi, host: string, request = 'GET /api/media'): Promise<number> => {
    const answer = await answerTo(api, `${request} HTTP/1.1`, `Host: ${host}`, 'Content-Length: 0');
    return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
  };
  const foreign = [
    'evil.example.com',
    'evil.example.com:3000',
    '127.0.0.1.evil.example.com',
    'localhost.evil.example.com',
    '0.0.0.0',
    '192.168.1.2',
    '[::2]',
    'a b',
    '',
  ];
  const ours = [
    'localhost',
    'LOCALHOST:5173',
    'localhost.:3000',
    'app.localhost',
    '127.0.0.1:3000',
    '127.1.2.3',
    '[::1]',
    '[::1]:3000',
  ];

  it('is refused on every route with the fix', async () => {
    const paths = [
      '/',
      '/docs',
      '/openapi.json',
      '/livez',
      '/readyz',
      '/metrics',
      '/api/media',
      '/api/media/health',
    ];
    const requests = [
      ...[...paths, '/api/media/database/status', '/media/a.png', '/admin/queues', '/nothing'].map(
        (path) => `GET ${path}`,
      ),
      'HEAD /livez',
      'OPTIONS /api/media',
      'POST /api/media/sync-cloudinary',
      'POST /api/media/webhooks/cloudinary',
      'GET http://localhost/api/media',
    ];
    for (const request of requests)
      expect(await statusOf(open, 'evil.example.com', request), request).toBe(403);
    const answer = await answerTo(
      open,
      'GET /api/media HTTP/1.1',
      'Host: evil.example.com',
      'X-Forwarded-Host: localhost',
    );
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({
      status: 403,
      code: 'FOREIGN_HOST',
      detail: expect.stringMatching(/PUBLIC_URL.*API_KEYS/) as string,
    });
  });

  it('differs from our own names, whatever the port', async () => {
    for (const host of foreign) expect(await statusOf(open, host), host).toBe(403);
    for (const host of ours) expect(await statusOf(open, host), host).toBe(200);
    for (const host of ['media.example.com', 'media.example.com:8443', 'MEDIA.example.com.', 'localhost'])
      expect(await statusOf(named, host), host).toBe(200);
    expect(await statusOf(named, 'evil.example.com')).toBe(403);
  });

  it('is accepted with keys and on a network address, and a request without Host always', async () => {
    expect(await answerTo(open, 'GET /api/media HTTP/1.0')).toMatch(/^HTTP\/1\.1 200/);
    expect(await answerTo(open, 'GET /api/media HTTP/1.0', 'Host: evil.example.com')).toMatch(
      /^HTTP\/1\.1 403/,
    );
    expect(await answerTo(open, 'GET /api/media HTTP/1.1')).toMatch(/^HTTP\/1\.1 400/);
    expect(await statusOf(network, 'media.lan')).toBe(200);
    const keyed = await startApi(redis, { API_KEYS: 'web:read:a-secret-of-somebody' });
    expect(await statusOf(keyed, 'media.lan', 'GET /livez')).toBe(200);
    await keyed.close();
  });
});
