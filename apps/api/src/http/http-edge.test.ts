import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { silentLogger, type Logger } from '@holdfast/foundation/logging';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { rawRequest } from '../../test/support/raw-request.js';
import { startApi, type Called, type RunningApi } from '../../test/support/running-api.js';

let redis: RedisSandbox;
let api: RunningApi;

beforeAll(async () => {
  redis = await startRedisSandbox();
  api = await startApi(redis, { API_KEYS: 'w:write:w-secret', CORS_ORIGINS: 'https://app.example.com' });
});

afterAll(async () => {
  await api.close();
  await redis.close();
});

describe('S17: what never becomes a request', () => {
  it.each([
    ['nonsense', 'hello\r\n\r\n', 400, 'INVALID_REQUEST'],
    ['headers without end', `GET / HTTP/1.1\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, 431, 'HEADERS_TOO_LARGE'],
    ['no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'INVALID_REQUEST'],
    [
      'no address',
      'GET http://[ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      400,
      'INVALID_REQUEST',
    ],
    [
      'two lengths',
      'POST /api/media/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
      'INVALID_REQUEST',
    ],
  ])('%s gets a problem', async (_name, text, status, code) => {
    const answer = await rawRequest(api.port, text);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${String(status)} `));
    expect(head).toContain('Content-Type: application/problem+json');
    const problem = JSON.parse(body) as { requestId: string };
    expect(problem).toMatchObject({ status, code });
    expect(head).toContain(`X-Request-Id: ${problem.requestId}`);
  });
});

describe.each([
  ['POST', '/api/media/upload', 'multipart/form-data; boundary=b', '--b\r\nContent-Disposition: form-data; '],
  ['PATCH', '/api/media/01M8703R5QCGNP9CSRBCSTMPT1', 'application/json', '{"title":'],
])('a body of %s %s that cannot be read', (method, path, type, start) => {
  const head = [
    `${method} ${path} HTTP/1.1`,
    'Host: localhost',
    'X-API-Key: w-secret',
    `Content-Type: ${type}`,
    'X-Request-Id: of-the-client',
  ];
  it.each([
    ['ends early', 'Content-Length: 1000', start, 'the body ended before it was complete'],
    ['has a chunk without a size', 'Transfer-Encoding: chunked', 'nonsense\r\n', 'the body cannot be read'],
  ])('%s, and the answer names the request', async (_what, framing, body, detail) => {
    const answer = await rawRequest(api.port, [...head, framing, '', body].join('\r\n'), { halfClose: true });
    const [answered = '', problem = ''] = answer.split('\r\n\r\n');
    expect(answered).toMatch(/^HTTP\/1\.1 400 /);
    expect(answered).toContain('X-Request-Id: of-the-client');
    expect(JSON.parse(problem)).toMatchObject({ code: 'MALFORMED_BODY', detail, requestId: 'of-the-client' });
  });
});

it('answers a whole request although what follows on its connection cannot be read', async () => {
  const png = Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010806000000', 'hex').toString(
    'latin1',
  );
  const form = `--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n${png}\r\n--b--\r\n`;
  const head = [
    'POST /api/media/upload HTTP/1.1',
    'Host: localhost',
    'X-API-Key: w-secret',
    'Content-Type: multipart/form-data; boundary=b',
    // Nobody verifies here, so the answer waits for its whole time: what is broken comes long before it.
    'Prefer: wait=1',
    `Content-Length: ${String(form.length)}`,
  ].join('\r\n');
  const answer = await rawRequest(api.port, Buffer.from(`${head}\r\n\r\n${form}BROKEN\r\n\r\n`, 'latin1'));
  expect(answer).toMatch(/^HTTP\/1\.1 202 /);
  expect(answer).toContain('"status":"saving"');
  expect(answer).not.toContain('HTTP/1.1 400');
});

describe('an answer before the body', () => {
  const big = Buffer.alloc(20_000_000);

  it('reaches a client that is still sending', async () => {
    const { status, body } = await new Promise<{ status: number | undefined; body: string }>(
      (resolve, reject) => {
        const req = httpRequest(
          `${api.url}/api/media/upload`,
          { method: 'POST', headers: { 'Content-Length': big.length } },
          (res) => {
            let text = '';
            res.setEncoding('utf8');
            res.on('data', (chunk: string) => (text += chunk));
            res.on('end', () => resolve({ status: res.statusCode, body: text }));
          },
        );
        req.on('error', reject);
        req.end(big);
      },
    );
    expect(status).toBe(401);
    expect(JSON.parse(body)).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('spares a client that waits to be invited from sending any of it', async () => {
    const answer = await rawRequest(
      api.port,
      'POST /api/media/upload HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 20000000\r\n\r\n',
      { until: /\r\n\r\n\{.*\}/s },
    );
    expect(answer).toMatch(/^HTTP\/1.1 401 /);
  });

  it('is an invitation once nothing can refuse the body unread', async () => {
    const text = [
      'PATCH /api/media/01K00000000000000000000000 HTTP/1.1',
      'Host: localhost',
      'Authorization: Bearer w-secret',
      'Content-Type: application/json',
      'Expect: 100-continue',
      'Content-Length: 13',
      '',
      '{"title":"x"}',
    ].join('\r\n');
    const answer = await rawRequest(api.port, text, { until: /\r\n\r\n\{.*\}/s });
    expect(answer).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 404 /);
  });
});

describe('pages of other origins', () => {
  const origin = 'https://app.example.com';

  it('may call when they are listed', async () => {
    const preflight = await api.call('OPTIONS', '/api/media/upload', undefined, {
      Origin: origin,
      'Access-Control-Request-Method': 'POST',
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
    expect(preflight.headers.get('access-control-allow-headers')).toMatch(/Authorization.*Last-Event-ID/);
    const refused = await api.call('GET', '/api/media', undefined, { Origin: origin });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('access-control-allow-origin')).toBe(origin);
    expect(refused.headers.get('vary')).toMatch(/Origin/);
  });

  it('may not when they are not', async () => {
    const answer = await api.call('OPTIONS', '/api/media/upload', undefined, {
      Origin: 'https://other.example.com',
      'Access-Control-Request-Method': 'POST',
    });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('the rate limit', () => {
  it('counts the writes of one key over all replicas, not reads, not those of others', async () => {
    const env = {
      API_KEYS: 'a:write:sa,b:write:sb',
      RATE_LIMIT_PER_MINUTE: '3',
      REDIS_PREFIX: 'shared-limit',
    };
    const replicas = await Promise.all([startApi(redis, env), startApi(redis, env)]);
    const write = (n: number, secret: string) =>
      replicas[n % 2]?.call('DELETE', '/api/media/01K00000000000000000000000', undefined, {
        'X-API-Key': secret,
      });
    const answers: (Called | undefined)[] = [];
    for (let n = 0; n < 4; n += 1) answers.push(await write(n, 'sa'));
    expect(answers.map((answer) => answer?.status)).toEqual([404, 404, 404, 429]);
    expect(answers.map((answer) => answer?.headers.get('ratelimit'))).toEqual(
      [2, 1, 0, 0].map((left) => expect.stringMatching(`^"writes"; r=${String(left)}; t=\\d+$`) as string),
    );
    expect(answers[0]?.headers.get('ratelimit-policy')).toMatch(/^"writes"; q=3; w=60; /);
    const refused = answers[3];
    expect(refused?.body).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(refused?.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect((await write(0, 'sb'))?.status).toBe(404);
    expect((await replicas[0].call('GET', '/api/media', undefined, { 'X-API-Key': 'sa' })).status).toBe(200);
    await Promise.all(replicas.map((replica) => replica.close()));
  });

  it('goes by the address of the client where there are no keys', async () => {
    const own = await startApi(redis, { RATE_LIMIT_PER_MINUTE: '1', TRUST_PROXY: 'true' });
    const write = async (address: string) =>
      (
        await own.call('DELETE', '/api/media/01K00000000000000000000000', undefined, {
          'X-Forwarded-For': address,
        })
      ).status;
    expect([await write('192.0.2.1'), await write('192.0.2.1')]).toEqual([404, 429]);
    expect(await write('192.0.2.2')).toBe(404);
    for (const same of ['192.0.2.2', '192.0.2.2:4711', '::ffff:192.0.2.2'])
      expect(await write(same)).toBe(429);
    await own.close();
  });

  it('blocks nobody when Redis does not answer', async () => {
    const sandbox = await startRedisSandbox();
    const own = await startApi(sandbox, { RATE_LIMIT_PER_MINUTE: '1' });
    sandbox.pause();
    const { body } = await own.call('DELETE', '/api/media/01K00000000000000000000000');
    expect(body.code).toBe('CATALOG_UNAVAILABLE');
    sandbox.resume();
    await own.close();
    await sandbox.close();
  });
});

describe('unknown keys', () => {
  const bearer = (secret: string) => ({ Authorization: `Bearer ${secret}` });
  const basic = (secret: string) => ({ Authorization: `Basic ${btoa(`w:${secret}`)}` });

  it('are slowed by address, on every route and page, and right ones never', async () => {
    const warned: unknown[] = [];
    const log: Logger = {
      ...silentLogger,
      warn: (event, fields) => {
        if (event === 'http.failed_logins') warned.push(fields);
      },
      child: () => log,
    };
    const env = { API_KEYS: 'w:admin:w-secret', TRUST_PROXY: 'true' };
    const own = await startApi(redis, env, log);
    onTestFinished(() => own.close());
    const get = (path: string, headers: Record<string, string>, address = '192.0.2.1') =>
      own.call('GET', path, undefined, { ...headers, 'X-Forwarded-For': address });
    const paths = ['/api/media', '/admin/queues', '/metrics', '/api/media/sync/drift'];
    for (let n = 0; n < 100; n += 1) {
      const wrong = n % 2 === 0 ? bearer(`wrong-${String(n)}`) : basic(`wrong-${String(n)}`);
      expect((await get(paths[n % 4] ?? '', wrong)).status).toBe(401);
      expect((await get('/api/media', bearer('w-secret'))).status).toBe(200);
    }
    expect(warned).toEqual([]);
    for (const path of paths) {
      const refused = await get(path, basic('wrong'));
      expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
      for (const right of [bearer('w-secret'), basic('w-secret')])
        expect((await get(path, right)).status).toBe(200);
      // A browser sends no login before it was asked for one.
      expect((await get(path, {})).status).toBe(401);
    }
    expect((await get('/', bearer('wrong'))).status).toBe(200);
    expect((await get('/api/media', bearer('wrong'), '192.0.2.2')).status).toBe(401);
    expect(warned).toEqual([{ address: '192.0.2.1' }]);
  });
});

describe('an unexpected error', () => {
  it('is logged in full and not shown to the client', async () => {
    const lines: unknown[] = [];
    const keep = (level: string) => (event: string, fields?: unknown) =>
      void lines.push({ level, event, fields });
    const log = {
      debug: () => undefined,
      info: () => undefined,
      warn: keep('warn'),
      error: keep('error'),
      child: () => log,
    };
    const own = await startApi(redis, {}, log);
    // A record that nobody wrote: decoding it must not bring the process down.
    await redis.client.set(own.deps.keys.syncRun, 'no JSON');
    const { status, body } = await own.call('GET', '/api/media/sync/status');
    expect(status).toBe(500);
    expect(body).toMatchObject({ code: 'INTERNAL', detail: 'Unexpected error' });
    expect(JSON.stringify(body)).not.toMatch(/JSON|token/);
    expect(
      lines.filter((line) => (line as { event: string }).event === 'http.unexpected_error'),
    ).toHaveLength(1);
    await own.close();
  });
});
