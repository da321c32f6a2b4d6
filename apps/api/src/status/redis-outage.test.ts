import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { freePort, makeTlsFiles, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function aRedis(): Promise<RedisSandbox> {
  const redis = await startRedisSandbox();
  onTestFinished(() => redis.close());
  return redis;
}

/** Ends TLS in front of a Redis, as rented ones do; its certificate is signed by nobody who is known. */
async function encrypted(redis: RedisSandbox): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-outage-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const { certificate, key } = await makeTlsFiles(directory);
  const options = { cert: await readFile(certificate), key: await readFile(key) };
  const server = createTlsServer(options, (socket) => {
    const inner = connect(Number(new URL(redis.url).port), '127.0.0.1');
    socket.pipe(inner).pipe(socket);
    socket.on('error', () => inner.destroy());
    inner.on('error', () => socket.destroy());
  });
  server.on('tlsClientError', () => undefined);
  return portOf(server);
}

async function anApi(url: string): Promise<RunningApi> {
  const api = await startApi({ url });
  onTestFinished(() => api.close());
  return api;
}

interface Finding {
  code: string;
  severity: string;
  message: string;
  fix: string;
}

async function foundBy(api: RunningApi, path: string): Promise<Finding | undefined> {
  const start = performance.now();
  const { body } = await api.call('GET', path);
  expect(performance.now() - start).toBeLessThan(1_500);
  const { storage } = body as { storage: { connected: boolean; findings: Finding[] } };
  expect(storage.connected).toBe(false);
  return storage.findings.find(({ code }) => code === 'REDIS_UNREACHABLE');
}

const at = (port: number, scheme = 'redis'): string =>
  `${scheme}://user:hidden-word@127.0.0.1:${String(port)}`;

it.each<[what: string, url: () => Promise<string>, message: RegExp, fix: RegExp]>([
  ['nothing listens', async () => at(await freePort()), /nothing listens there/, /Start Redis/],
  [
    'the name is unknown',
    async () => 'redis://:hidden-word@no-such-host.invalid:6380',
    /name .*resolved/,
    /REDIS_URL/,
  ],
  [
    'an HTTP server answers',
    async () => at(await portOf(createHttpServer((_req, res) => res.end()))),
    /not Redis: an HTTP server/,
    /port/,
  ],
  [
    'an HTTP server answers where TLS is expected',
    async () => at(await portOf(createHttpServer((_req, res) => res.end())), 'rediss'),
    /without TLS/,
    /"redis:"/,
  ],
  [
    'another program answers',
    async () =>
      at(
        await portOf(
          createServer((socket) => void socket.on('error', () => undefined).write('SSH-2.0-x\r\n')),
        ),
      ),
    /not Redis/,
    /port/,
  ],
  [
    'the port speaks TLS',
    async () => at(await encrypted(await aRedis())),
    /ends each connection/,
    /"rediss:"/,
  ],
  [
    'the port speaks no TLS',
    async () => at(Number(new URL((await aRedis()).url).port), 'rediss'),
    /does not answer/,
    /"redis:"/,
  ],
  [
    'the certificate is signed by an unknown authority',
    async () => at(await encrypted(await aRedis()), 'rediss'),
    /signed by an unknown authority|self-signed/,
    /REDIS_TLS_CA.*REDIS_TLS_VERIFY=false/,
  ],
  [
    'connections are ended at once',
    async () => at(await portOf(createServer((socket) => void socket.end()))),
    /ends each connection/,
    /./,
  ],
  [
    'connections are taken and nothing is answered',
    async () => at(await portOf(createServer((socket) => void socket.on('error', () => undefined)))),
    /does not answer/,
    /./,
  ],
  [
    'the login is refused',
    async () => {
      const redis = await aRedis();
      await redis.client.config('SET', 'requirepass', 'right');
      return at(Number(new URL(redis.url).port));
    },
    /refuses the login/,
    /password/,
  ],
  [
    'the database is not there',
    async () => `${at(Number(new URL((await aRedis()).url).port)).replace('user:hidden-word@', '')}/777`,
    /no database of this number/,
    /REDIS_PREFIX/,
  ],
])('says in health and database/status what is wrong where %s', async (_what, urlOf, message, fix) => {
  const url = await urlOf();
  const api = await anApi(url);
  for (const path of ['/api/media/health', '/api/media/database/status'])
    await vi.waitFor(async () => {
      const found = await foundBy(api, path);
      expect(found).toMatchObject({
        severity: 'error',
        message: expect.stringMatching(message),
        fix: expect.stringMatching(fix),
      });
      expect(found?.message).toContain(new URL(url).host);
      expect(JSON.stringify(found)).not.toMatch(/hidden-word|user:/);
    });
});

it('is gone once Redis is back', async () => {
  const redis = await aRedis();
  const api = await anApi(redis.url);
  await redis.kill();
  await vi.waitFor(async () => expect(await foundBy(api, '/api/media/health')).toBeDefined());
  await redis.restart();
  await vi.waitFor(async () => {
    const { status, body } = await api.call('GET', '/api/media/health');
    expect(status).toBe(200);
    expect(JSON.stringify(body)).not.toContain('REDIS_UNREACHABLE');
  });
});
