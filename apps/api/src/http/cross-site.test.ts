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

describe('a browser that was led to this machine by a name of another site', () => {
  const statusOf = async (api: RunningApi, host: string, more: string[]): Promise<number> => {
    const head = ['POST /api/media/sync-cloudinary HTTP/1.1', `Host: ${host}`, 'Connection: close', ...more];
    const answer = await rawRequest(
      api === named ? namedPort : api.port,
      [...head, 'Content-Length: 0', '', ''].join('\r\n'),
    );
    return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
  };
  const page = (api: RunningApi, host: string, scheme = 'http'): Promise<number> =>
    statusOf(api, host, [`Origin: ${scheme}://${host}`]);

  it('changes nothing', async () => {
    expect(await page(open, 'evil.example.com:3000')).toBe(403);
    expect(await page(open, '127.0.0.1.evil.example.com')).toBe(403);
    expect(await page(named, 'evil.example.com')).toBe(403);
    expect(await statusOf(open, 'evil.example.com', ['Sec-Fetch-Site: same-origin'])).toBe(403);
  });

  it('is told from our own names, from programs, and from who listens on a network', async () => {
    for (const host of ['localhost:5173', 'app.localhost', '127.0.0.1:3000', '127.1.2.3', '[::1]:3000'])
      expect(await page(open, host), host).toBe(202);
    expect(await page(named, 'media.example.com', 'https')).toBe(202);
    expect(await statusOf(open, 'media.lan', [])).toBe(202);
    expect(await page(network, 'media.lan')).toBe(202);
  });
});
