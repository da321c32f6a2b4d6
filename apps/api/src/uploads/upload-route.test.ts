import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createCatalog, type Catalog } from '@holdfast/shared/catalog';
import { readSettings, type UploadSettings } from '@holdfast/shared/config';
import { claimKey, createClaims } from '@holdfast/shared/idempotency';
import { createIntents, createRefusedAssets } from '@holdfast/shared/intents';
import { connectMediaQueues, type MediaQueues } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/shared/logging';
import { newMediaId } from '@holdfast/shared/media';
import { createMediaHost, type MediaHost } from '@holdfast/shared/media-host';
import { closeRedis, connectRedis, isReadyWithin, redisKeys, type RedisClient } from '@holdfast/shared/redis';
import { createSyncState } from '@holdfast/shared/sync';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { errorHandler } from '../http/error-handler.js';
import { requestId } from '../http/request-id.js';
import { createShutdown } from '../http/shutdown.js';
import { acceptedMedia } from '../media/present-media.js';
import { watchNewCatalog } from '../media/new-catalog.js';
import { watchRebuilding } from '../media/rebuilding.js';
import { createIdSecret } from './id-secret.js';
import { createUploadSlots } from './upload-slots.js';
import { uploadRoute } from './upload-route.js';
import { createUploads, type Uploads } from './uploads.js';

interface Bench {
  redis: RedisSandbox;
  url: string;
  port: number;
  catalog: Catalog;
  uploads: Uploads;
  mediaFolder: string;
  close(): Promise<void>;
}

const limits: UploadSettings = {
  maxBytes: 1_000_000,
  maxConcurrent: 2,
  maxBacklog: 1_000,
  allowedTypes: ['image/*', 'application/zip'],
};

async function setup(): Promise<Bench> {
  const redis = await startRedisSandbox();
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-upload-'));
  const settings = readSettings({ DATA_DIR: folder, REDIS_URL: redis.url });
  const host: MediaHost = await createMediaHost(settings.host, { uploadSlots: 4, log: silentLogger });
  const client: RedisClient = connectRedis(settings.redis.connection, 'request', silentLogger);
  await isReadyWithin(client, 5_000);
  const keys = redisKeys('holdfast');
  const catalog = createCatalog(client, keys);
  const queues: MediaQueues = connectMediaQueues(settings.redis, settings.jobs, silentLogger);
  const uploads = createUploads({
    uploads: limits,
    folder: 'holdfast',
    host,
    catalog,
    claims: createClaims(client, keys),
    rebuilding: watchRebuilding({
      syncState: createSyncState(client, keys),
      redis: client,
      keys,
      newCatalog: watchNewCatalog(host, silentLogger),
    }),
    idSecret: createIdSecret(settings.host, folder),
    claimWaitMs: 300,
    intents: createIntents(client, keys),
    refusedAssets: createRefusedAssets(client, keys),
    queues,
    slots: createUploadSlots(limits.maxConcurrent),
    shutdown: createShutdown(),
    log: silentLogger,
  });
  const app = express();
  const address = { url: () => 'http://example.test' };
  app.use(requestId(silentLogger));
  app.post('/upload', uploadRoute({ ...uploads, answerFor: (record) => acceptedMedia(record, address) }));
  app.use(errorHandler());
  const server: Server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    redis,
    url: `http://127.0.0.1:${String(port)}/upload`,
    port,
    catalog,
    uploads,
    mediaFolder: join(folder, 'media'),
    close: async () => {
      uploads.stop();
      server.closeAllConnections();
      server.close();
      await queues.close();
      await closeRedis(client);
      await host.close();
      await redis.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

let bench: Bench;
beforeEach(async () => {
  bench = await setup();
});
afterEach(() => bench.close());

const PNG = Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010806000000', 'hex');
const png = (bytes = 1_000): Buffer => Buffer.concat([PNG, randomBytes(bytes - PNG.length)]);
const LARGE = 600_000;

type Part = [name: string, value: string | Buffer, filename?: string];

async function send(
  parts: Part[],
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
  const form = new FormData();
  for (const [name, value, filename] of parts) {
    if (typeof value === 'string') form.append(name, value);
    else form.append(name, new Blob([new Uint8Array(value)]), filename ?? 'a.png');
  }
  const response = await fetch(bench.url, { method: 'POST', body: form, headers });
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
    headers: response.headers,
  };
}

async function filesOnHost(): Promise<string[]> {
  const entries = await readdir(bench.mediaFolder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && /\.(?:png|json|zip|bin|part|tmp)$|^[0-9A-Z]{26}/.test(entry.name))
    .map((entry) => entry.name);
}

async function expectNothingLeft(): Promise<void> {
  await vi.waitFor(async () => {
    expect(await filesOnHost()).toEqual([]);
    expect(await bench.redis.client.keys('{holdfast}:intent*')).toEqual([]);
    expect((await bench.catalog.counts()).total).toBe(0);
  });
}

describe('an upload', () => {
  it.each([['small', 1_000] as const, ['large', LARGE] as const])(
    'that is %s is in the catalog as saving, with its jobs, when it is acknowledged',
    async (_size, bytes) => {
      const data = png(bytes);
      const { status, body, headers } = await send([
        ['title', 'before'],
        ['file', data],
        ['tags', 'a, b'],
        ['tags', 'c'],
        ['category', 'after'],
      ]);
      expect(status).toBe(202);
      const media = body['media'] as { id: string };
      expect(headers.get('location')).toBe(`/api/media/${media.id}`);
      expect(media).toMatchObject({
        status: 'saving',
        title: 'before',
        category: 'after',
        tags: ['a', 'b', 'c'],
        bytes,
        filename: 'a.png',
      });
      expect(await bench.catalog.find(media.id)).toMatchObject({
        status: 'saving',
        checksum: { sha256: createHash('sha256').update(data).digest('hex') },
      });
      expect(
        await bench.redis.client.exists(
          `{holdfast}:save:save-${media.id}-1`,
          `{holdfast}:verify:verify-${media.id}-1`,
        ),
      ).toBe(2);
    },
  );

  it('with a matching digest is taken', async () => {
    const data = png();
    const digest = createHash('sha256').update(data).digest('base64');
    expect((await send([['file', data]], { 'Repr-Digest': `sha-256=:${digest}:` })).status).toBe(202);
  });

  it('of a raw kind keeps its extension in the public id', async () => {
    const zip = Buffer.concat([Buffer.from('504b0304140000000000', 'hex'), randomBytes(500)]);
    const { status, body } = await send([['file', zip, 'a.zip']]);
    expect(status).toBe(202);
    expect(body['media']).toMatchObject({
      resourceType: 'raw',
      publicId: expect.stringMatching(/^holdfast\/[0-9A-Z]{26}\.zip$/) as string,
    });
  });
});

describe('S17: bad input leaves nothing behind', () => {
  const digestOf = (text: string): string =>
    `sha-256=:${createHash('sha256').update(text).digest('base64')}:`;
  it.each<[string, Part[], Record<string, string>, number, string]>([
    ['no file', [['title', 'x']], {}, 400, 'FILE_MISSING'],
    ['a file under another name', [['photo', png()]], {}, 400, 'FILE_MISSING'],
    [
      'two files',
      [
        ['file', png()],
        ['file', png()],
      ],
      {},
      400,
      'TOO_MANY_FILES',
    ],
    [
      'two large files',
      [
        ['file', png(LARGE)],
        ['file', png(LARGE)],
      ],
      {},
      400,
      'TOO_MANY_FILES',
    ],
    ['an empty file', [['file', Buffer.alloc(0)]], {}, 400, 'FILE_EMPTY'],
    ['a text file that calls itself an image', [['file', Buffer.from('hello')]], {}, 415, 'UNSUPPORTED_TYPE'],
    ['a file that is too large', [['file', png(1_000_001)]], {}, 413, 'FILE_TOO_LARGE'],
    ['a body far too large', [['file', png(3_000_000)]], {}, 413, 'FILE_TOO_LARGE'],
    [
      'a title that is too long',
      [
        ['title', 'x'.repeat(501)],
        ['file', png()],
      ],
      {},
      400,
      'INVALID_REQUEST',
    ],
    [
      'a title that is too long after a large file',
      [
        ['file', png(LARGE)],
        ['title', 'x'.repeat(501)],
      ],
      {},
      400,
      'INVALID_REQUEST',
    ],
    [
      'a repeated title',
      [
        ['title', 'a'],
        ['title', 'b'],
        ['file', png()],
      ],
      {},
      400,
      'INVALID_REQUEST',
    ],
    [
      'a title that is an object',
      [
        ['title[a]', 'a'],
        ['file', png()],
      ],
      {},
      400,
      'INVALID_REQUEST',
    ],
    [
      '51 tags',
      [
        ['tags', Array.from({ length: 51 }, (_unused, index) => `t${String(index)}`).join(',')],
        ['file', png()],
      ],
      {},
      400,
      'INVALID_REQUEST',
    ],
    ['another digest', [['file', png()]], { 'Repr-Digest': digestOf('x') }, 400, 'DIGEST_MISMATCH'],
    [
      'another digest of a large file',
      [['file', png(LARGE)]],
      { 'Repr-Digest': digestOf('x') },
      400,
      'DIGEST_MISMATCH',
    ],
    [
      'a digest that cannot be one',
      [['file', png()]],
      { 'Repr-Digest': 'sha-256=:x:' },
      400,
      'INVALID_REQUEST',
    ],
    [
      'a field of a megabyte',
      [
        ['title', 'x'.repeat(1_000_000)],
        ['file', png()],
      ],
      {},
      400,
      'INVALID_REQUEST',
    ],
    [
      'a thousand parts',
      [
        ...Array.from({ length: 1_000 }, (_unused, index): Part => [`f${String(index)}`, 'x']),
        ['file', png()],
      ],
      {},
      400,
      'INVALID_REQUEST',
    ],
  ])('%s', async (_name, parts, headers, status, code) => {
    const answer = await send(parts, headers);
    expect(answer).toMatchObject({ status, body: { code, status } });
    await expectNothingLeft();
  });

  it.each<[string, string, string, number, string]>([
    ['a JSON body', 'application/json', '{}', 415, 'UNSUPPORTED_BODY'],
    ['no boundary', 'multipart/form-data', 'x', 400, 'MALFORMED_BODY'],
    ['a body that is no form', 'multipart/form-data; boundary=b', 'nonsense', 400, 'MALFORMED_BODY'],
    [
      'a form that never ends',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nx',
      400,
      'MALFORMED_BODY',
    ],
  ])('%s', async (_name, type, body, status, code) => {
    const response = await fetch(bench.url, { method: 'POST', body, headers: { 'Content-Type': type } });
    expect({ status: response.status, body: await response.json() }).toMatchObject({
      status,
      body: { code },
    });
    await expectNothingLeft();
  });

  it.each([1, 200, 5_000, 300_000, 550_000])(
    'a client that vanishes after %i bytes of its body',
    async (cut) => {
      const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n';
      const body = Buffer.concat([Buffer.from(head), png(LARGE), Buffer.from('\r\n--b--\r\n')]);
      const socket = connect(bench.port, '127.0.0.1');
      await once(socket, 'connect');
      socket.write(
        `POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${String(body.length)}\r\n\r\n`,
      );
      socket.write(body.subarray(0, cut));
      await vi.waitFor(async () => expect(await bench.redis.client.zcard('{holdfast}:intents')).toBe(1));
      socket.destroy();
      await expectNothingLeft();
      expect(bench.uploads.heartbeat.size()).toBe(0);
    },
  );
});

it.each([
  ['other bytes', 1_000, { etag: 'ab'.repeat(16) }],
  ['other bytes of a large file', LARGE, { etag: 'ab'.repeat(16) }],
  ['fewer bytes, without telling their hash', 1_000, { etag: null, bytes: 999 }],
])('refuses an upload of which the host stored %s, and removes it', async (_what, bytes, told) => {
  const put = bench.uploads.host.put.bind(bench.uploads.host);
  bench.uploads.host.put = async (request) => {
    const result = await put(request);
    return { ...result, asset: { ...result.asset, ...told } };
  };
  expect(await send([['file', png(bytes)]])).toMatchObject({
    status: 502,
    body: { code: 'HOST_CONTENT_MISMATCH' },
  });
  await expectNothingLeft();
});

describe('admission', () => {
  it.each([0, 200])('lets a client go that vanishes during it, %i bytes of its body later', async (sent) => {
    bench.redis.pause();
    for (let clients = 0; clients < limits.maxConcurrent; clients += 1) {
      const socket = connect(bench.port, '127.0.0.1').resume();
      const closed = once(socket, 'close');
      socket.write(
        'POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 999\r\n\r\n',
      );
      socket.end(Buffer.alloc(sent, '-'));
      await closed;
    }
    bench.redis.resume();
    // Over the same connection, so answered after both have been admitted.
    await bench.uploads.intents.beat([]);
    await vi.waitFor(() => expect(bench.uploads.heartbeat.size()).toBe(0));
    await expectNothingLeft();
    expect(await send([['file', png()]])).toMatchObject({ status: 202 });
  });

  it('answers 503 at once while Redis is away, with nothing read or stored', async () => {
    await bench.redis.kill();
    const started = performance.now();
    const answer = await send([['file', png(LARGE)]]);
    expect(answer).toMatchObject({ status: 503, body: { code: 'QUEUE_UNAVAILABLE' } });
    expect(answer.headers.get('retry-after')).not.toBeNull();
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(await filesOnHost()).toEqual([]);
  });

  it('answers 503 within a second while Redis is paused', async () => {
    bench.redis.pause();
    const started = performance.now();
    expect(await send([['file', png()]])).toMatchObject({ status: 503, body: { code: 'QUEUE_UNAVAILABLE' } });
    expect(performance.now() - started).toBeLessThan(1_000);
    bench.redis.resume();
  });

  it('answers 503 when too many jobs wait', async () => {
    await bench.redis.client.rpush('{holdfast}:save:wait', ...Array.from({ length: 1_001 }, String));
    expect(await send([['file', png()]])).toMatchObject({ status: 503, body: { code: 'OVERLOADED' } });
  });

  it('accepts what was committed although Redis was emptied meanwhile', async () => {
    const put = bench.uploads.host.put.bind(bench.uploads.host);
    bench.uploads.host.put = async (request) => {
      const result = await put(request);
      await bench.redis.client.flushall();
      return result;
    };
    const { status, body } = await send([['file', png()]]);
    expect({ status, body }).toMatchObject({ status: 202, body: { media: { status: 'saving' } } });
    const { id } = body['media'] as { id: string };
    expect(await bench.catalog.find(id)).toMatchObject({ id, status: 'saving' });
  });

  it('defers what was committed when Redis is lost before the acceptance, and catches up by itself', async () => {
    const put = bench.uploads.host.put.bind(bench.uploads.host);
    // The real host; only the moment at which Redis dies is chosen here.
    bench.uploads.host.put = async (request) => {
      const result = await put(request);
      await bench.redis.kill();
      return result;
    };
    const data = png();
    const { status, body } = await send([['file', data]]);
    expect({ status, body }).toMatchObject({ status: 202, body: { media: { status: 'deferred' } } });
    const { id } = body['media'] as { id: string };
    expect(bench.uploads.deferred.find(id)).toMatchObject({ id, status: 'deferred' });
    await bench.redis.restart();
    await vi.waitFor(async () => expect(await bench.catalog.find(id)).toMatchObject({ status: 'saving' }), {
      timeout: 10_000,
    });
    expect(bench.uploads.deferred.size()).toBe(0);
  });

  it('answers 503 within a second to a request with a key too while Redis is paused', async () => {
    bench.redis.pause();
    const started = performance.now();
    expect(await send([['file', png()]], { 'Idempotency-Key': 'k' })).toMatchObject({
      status: 503,
      body: { code: 'QUEUE_UNAVAILABLE' },
    });
    expect(performance.now() - started).toBeLessThan(1_000);
    bench.redis.resume();
  });

  it('answers 409 with Retry-After when another request with the key does not end in time', async () => {
    const { claims } = bench.uploads;
    const held = await claims.claim(claimKey('anonymous', 'k'), newMediaId(), null);
    expect(held.state).toBe('held');
    const answer = await send([['file', png()]], { 'Idempotency-Key': 'k' });
    expect(answer).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_IN_PROGRESS' } });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(10);
    expect(await filesOnHost()).toEqual([]);
  });

  it('S19: finishes the key of a deferred upload when Redis is back', async () => {
    const put = bench.uploads.host.put.bind(bench.uploads.host);
    bench.uploads.host.put = async (request) => {
      const result = await put(request);
      await bench.redis.kill();
      return result;
    };
    const data = png();
    const key = { 'Idempotency-Key': 'k' };
    const first = await send([['file', data]], key);
    expect(first).toMatchObject({ status: 202, body: { media: { status: 'deferred' } } });
    expect(await send([['file', data]], key)).toMatchObject({ status: 503 });
    bench.uploads.host.put = put;
    await bench.redis.restart();
    await vi.waitFor(() => expect(bench.uploads.deferred.size()).toBe(0), { timeout: 10_000 });
    const again = await send([['file', data]], key);
    expect({ status: again.status, replayed: again.headers.get('idempotent-replayed') }).toEqual({
      status: 202,
      replayed: 'true',
    });
    expect(again.body['media']).toMatchObject({ id: (first.body['media'] as { id: string }).id });
    expect((await bench.catalog.counts()).total).toBe(1);
  });
});
