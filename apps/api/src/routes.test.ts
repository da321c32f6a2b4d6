import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../test/support/running-api.js';
import type { Route } from './http/route.js';
import { routes } from './routes.js';

let redis: RedisSandbox;
let locked: RunningApi;
let publicRead: RunningApi;
let open: RunningApi;

const API_KEYS = 'r:read:read-secret,w:write:write-secret,a:admin:admin-secret';

beforeAll(async () => {
  redis = await startRedisSandbox();
  [locked, publicRead, open] = await Promise.all([
    startApi(redis, { API_KEYS }),
    startApi(redis, { API_KEYS, PUBLIC_READ: 'true' }),
    startApi(redis),
  ]);
});

afterAll(async () => {
  await Promise.all([locked, publicRead, open].map((api) => api.close()));
  await redis.close();
});

const secrets = {
  none: null,
  wrong: 'nonsense',
  read: 'read-secret',
  write: 'write-secret',
  admin: 'admin-secret',
};
type Caller = keyof typeof secrets;
const rank = { open: 0, read: 1, write: 2, admin: 3 };
const rankOf: Record<Caller, number> = { none: 0, wrong: 0, read: 1, write: 2, admin: 3 };

async function statusFor(api: RunningApi, route: Route, caller: Caller): Promise<number> {
  const secret = secrets[caller];
  const path = route.path.replace(':id', '01K00000000000000000000000').replace('*path', 'image/x.png');
  const response = await api.request(path, {
    method: route.method === 'ALL' ? 'GET' : route.method,
    headers: secret === null ? {} : { Authorization: `Bearer ${secret}` },
  });
  await response.text();
  return response.status;
}

describe('who may do what', () => {
  it.each(Object.keys(secrets) as Caller[])('holds for every route and %s', async (caller) => {
    const asked: Record<string, number>[] = [];
    const expected: Record<string, number>[] = [];
    for (const api of [locked, publicRead]) {
      for (const route of routes(api.deps)) {
        const isOpen = route.role === 'open' || (api === publicRead && route.publicRead === true);
        const allowed = isOpen || rankOf[caller] >= rank[route.role];
        const name = `${route.method} ${route.path}`;
        const status = await statusFor(api, route, caller);
        asked.push({ [name]: status === 401 || status === 403 ? status : 0 });
        expected.push({ [name]: allowed ? 0 : rankOf[caller] === 0 ? 401 : 403 });
      }
    }
    expect(asked).toEqual(expected);
  });

  it('lets everyone do everything where no key is configured', async () => {
    const statuses = await Promise.all(routes(open.deps).map((route) => statusFor(open, route, 'none')));
    expect(statuses.filter((status) => status === 401 || status === 403)).toEqual([]);
  });

  it('opens with PUBLIC_READ the list, the record, its events and the files, and nothing else', () => {
    const opened = routes(publicRead.deps).filter((route) => route.publicRead === true);
    expect(opened.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /api/media',
      'GET /api/media/:id',
      'GET /api/media/:id/events',
      'GET /media/*path',
    ]);
  });

  it('accepts the key from X-API-Key and from Basic with its own name', async () => {
    const basic = (text: string) => ({ Authorization: `Basic ${Buffer.from(text).toString('base64')}` });
    const status = async (headers: Record<string, string>) =>
      (await locked.call('GET', '/api/media', undefined, headers)).status;
    expect(await status({ 'X-API-Key': 'read-secret' })).toBe(200);
    expect(await status(basic('r:read-secret'))).toBe(200);
    expect(await status({ ...basic('proxy:login'), 'X-API-Key': 'read-secret' })).toBe(200);
    expect(await status(basic('w:read-secret'))).toBe(401);
    expect(await status(basic('r'))).toBe(401);
    expect(await status({ Authorization: 'Bearer' })).toBe(401);
    expect(await status({ Authorization: 'Digest read-secret' })).toBe(401);
  });

  it('asks browsers for a login on pages, and programs for a token elsewhere', async () => {
    const board = await locked.call('GET', '/admin/queues');
    expect(board.headers.get('www-authenticate')).toMatch(/^Basic /);
    const list = await locked.call('GET', '/api/media');
    expect(list.headers.get('www-authenticate')).toMatch(/^Bearer /);
    expect(list.body).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
  });

  it.each(['/api/media', '/api/media/sync/status', '/metrics'])(
    'asks for a login where a person opens %s in a browser',
    async (path) => {
      const opened = { Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };
      const answer = await locked.call('GET', path, undefined, opened);
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Basic /);
    },
  );

  it.each([
    ['POST', '/api/media/sync-cloudinary'],
    ['GET', '/api/media/sync-cloudinary'],
    ['DELETE', '/api/media/01K00000000000000000000000'],
    ['PUT', '/admin/queues/api/queues/save/pause'],
  ])('refuses %s %s with a login that a browser added on another site', async (method, path) => {
    const Authorization = `Basic ${Buffer.from('a:admin-secret').toString('base64')}`;
    for (const headers of [
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site' },
      { Origin: 'https://evil.example.com' },
      { Origin: 'null' },
    ]) {
      const refused = await locked.call(method, path, undefined, { Authorization, ...headers });
      expect(refused.body).toMatchObject({ status: 403, code: 'CROSS_SITE' });
    }
    const own = await locked.call(method, path, undefined, { Authorization, Origin: locked.url });
    expect(own.status).not.toBe(403);
    // Without TLS browsers load an image of another site without a word of where it is wanted.
    const silent = await locked.call(method, path, undefined, { Authorization });
    expect(silent.status === 403).toBe(method === 'GET');
    const typed = await locked.call(method, path, undefined, { Authorization, 'Sec-Fetch-Site': 'none' });
    expect(typed.status).not.toBe(403);
    const token = { Authorization: 'Bearer admin-secret', Origin: 'https://evil.example.com' };
    expect((await locked.call(method, path, undefined, token)).status).not.toBe(403);
  });
});

it('accepts a browser login under the address that clients see, too', async () => {
  const port = String(await freePort());
  const PUBLIC_URL = `http://media.example.com:${port}`;
  const proxied = await startApi(redis, { API_KEYS, PUBLIC_URL, PORT: port });
  const Authorization = `Basic ${Buffer.from('a:admin-secret').toString('base64')}`;
  const statusFrom = async (Origin: string): Promise<number> => {
    const init = { method: 'POST', headers: { Authorization, Origin } };
    return (await fetch(`http://127.0.0.1:${port}/api/media/sync-cloudinary`, init)).status;
  };
  expect(await statusFrom(PUBLIC_URL)).toBe(202);
  expect(await statusFrom('https://other.example.com')).toBe(403);
  await proxied.close();
});

describe('what is not offered', () => {
  it('is a problem that says so', async () => {
    const { status, body, headers } = await open.call('GET', '/nothing/here');
    expect(status).toBe(404);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(body).toEqual({
      type: 'urn:holdfast:problem:NOT_FOUND',
      title: expect.any(String),
      status: 404,
      detail: expect.any(String),
      code: 'NOT_FOUND',
      requestId: headers.get('x-request-id'),
    });
  });

  it('names the methods that are offered', async () => {
    for (const route of routes(open.deps).filter(({ method }) => method !== 'ALL')) {
      const path = route.path.replace(':id', 'x').replace('*path', 'x');
      const refused = await open.call('PUT', path);
      expect(refused.body).toMatchObject({ status: 405, code: 'METHOD_NOT_ALLOWED' });
      expect(refused.headers.get('allow')).toContain(route.method);
      const options = await open.call('OPTIONS', path);
      expect(options.status).toBe(204);
      expect(options.headers.get('allow')).toContain(route.method);
    }
  });

  it('does not mistake words of the API for an id', async () => {
    expect((await open.call('DELETE', '/api/media/health')).headers.get('allow')).toBe('GET, HEAD, OPTIONS');
  });

  it('is not an answer to a path that is not a URI', async () => {
    expect((await open.call('GET', '/api/media/%E0%A4%A')).body).toMatchObject({
      status: 400,
      code: 'INVALID_REQUEST',
    });
  });
});

describe('every answer', () => {
  it('carries the request id of the client when it is sane, otherwise one of our own', async () => {
    const id = async (sent: string) =>
      (await open.call('GET', '/livez', undefined, { 'X-Request-Id': sent })).headers.get('x-request-id');
    expect(await id('a-1_B.c')).toBe('a-1_B.c');
    expect(await id('two words')).toMatch(/^[0-9a-f-]{36}$/);
    expect(await id('x'.repeat(129))).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('forbids to be sniffed, framed or scripted', async () => {
    const { headers } = await open.call('GET', '/livez');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('content-security-policy')).toBe("default-src 'none';frame-ancestors 'none'");
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('x-powered-by')).toBeNull();
  });
});
