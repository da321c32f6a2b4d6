import { once } from 'node:events';
import { unlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { createMediaHost } from '@holdfast/shared/media-host';
import { readSettings } from '@holdfast/foundation/config';
import { silentLogger, type Logger } from '@holdfast/foundation/logging';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { startCloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { newMediaId } from '@holdfast/shared/media';
import { onePixelPng, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

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

async function fileUrl(filename = 'a.png'): Promise<string> {
  return (await api.addMedia({ filename })).url;
}

it('sends the bytes as they came, for an image to be shown and nothing to run', async () => {
  const response = await api.request(await fileUrl());
  expect(Buffer.from(await response.arrayBuffer()).equals(onePixelPng)).toBe(true);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'image/png',
    'content-disposition': expect.stringMatching(/^inline; filename="a\.png"/),
    'x-content-type-options': 'nosniff',
    'content-security-policy': expect.stringMatching(/^sandbox; default-src 'none'/),
    'cross-origin-resource-policy': 'cross-origin',
    'accept-ranges': 'bytes',
    etag: expect.stringMatching(/^"[0-9a-f]{32}"$/),
  });
});

const html = Buffer.from('<html><script>alert(1)</script>');
const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');

it.each([
  ['HTML', 'raw', '.html', html],
  ['HTML that claims to be a picture', 'image', '', html],
  ['a vector picture', 'image', '', svg],
  ['XML', 'raw', '.xml', Buffer.from('<?xml version="1.0"?><a/>')],
  ['a script', 'raw', '.js', Buffer.from('alert(1)')],
  ['a file without a kind', 'raw', '', html],
] as const)('sends %s as a download without a type', async (_case, resourceType, extension, body) => {
  const { asset } = await api.deps.host.put({
    ref: { publicId: `holdfast/${newMediaId()}${extension}`, resourceType },
    metadata: { context: {}, tags: [] },
    body,
    contentLength: body.length,
    signal: AbortSignal.timeout(5_000),
  });
  const response = await api.request(asset.url);
  await response.arrayBuffer();
  expect(response.status).toBe(200);
  expect(response.headers.get('content-disposition')).toMatch(/^attachment/);
  expect(response.headers.get('content-type')).toBe('application/octet-stream');
});

it.each([
  ['more last bytes than there are', `bytes=-${String(onePixelPng.length + 1)}`, 200, onePixelPng],
  ['the last bytes', 'bytes=-5', 206, onePixelPng.subarray(-5)],
])('answers who asks for %s', async (_what, range, status, bytes) => {
  const answer = await api.request(await fileUrl(), { headers: { Range: range } });
  expect(answer.status).toBe(status);
  expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
});

it('sends ranges, and says so when there is no such range', async () => {
  const url = await fileUrl();
  const part = await api.request(url, { headers: { Range: 'bytes=1-3' } });
  expect(part.status).toBe(206);
  expect(await part.text()).toBe('PNG');
  const none = await api.call('GET', url, undefined, { Range: 'bytes=5000-' });
  expect(none.body).toMatchObject({ status: 416, code: 'RANGE_NOT_SATISFIABLE' });
  expect(none.headers.get('content-range')).toBe(`bytes */${String(onePixelPng.length)}`);
});

it('opens the next file of a client while those before it are on their way', async () => {
  const body = Buffer.alloc(8_000_000, 1);
  const { asset } = await api.deps.host.put({
    ref: { publicId: `holdfast/${newMediaId()}`, resourceType: 'image' },
    metadata: { context: {}, tags: [] },
    body,
    contentLength: body.length,
    signal: AbortSignal.timeout(5_000),
  });
  const { hostname, port } = new URL(api.url);
  // More than a client may have turns. Each gets its headers, and reads no more.
  for (let n = 0; n < 12; n += 1) {
    const socket = connect(Number(port), hostname);
    onTestFinished(() => void socket.destroy());
    socket.write(`GET ${new URL(asset.url, api.url).pathname} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await once(socket, 'readable');
    expect(String(socket.read(12))).toBe('HTTP/1.1 200');
  }
});

it('sends nothing to a client that has it', async () => {
  const url = await fileUrl();
  const tag = (await api.call('HEAD', url)).headers.get('etag') ?? '';
  // Without it fetch() adds `no-cache`, which asks for the whole file again.
  const known = { 'If-None-Match': tag, 'Cache-Control': 'max-age=0' };
  expect((await api.call('GET', url, undefined, known)).status).toBe(304);
});

it('answers 404 for a file that is deleted at this moment', async () => {
  const url = await fileUrl();
  const send = Reflect.get(express.response, 'sendFile') as (this: object, ...all: unknown[]) => void;
  const sending = vi.spyOn(express.response, 'sendFile');
  onTestFinished(() => sending.mockRestore());
  sending.mockImplementation(function (this: object, path: string, ...rest: unknown[]) {
    unlinkSync(path);
    send.call(this, path, ...rest);
  });
  expect((await api.call('GET', url)).body).toMatchObject({ status: 404, code: 'NOT_FOUND' });
});

it.each([
  ['another tag', { 'If-Match': '"other"' }],
  ['an earlier date', { 'If-Unmodified-Since': 'Thu, 01 Jan 2026 00:00:00 GMT' }],
])('refuses who means a file of %s, as it is described', async (_what, headers) => {
  const url = await fileUrl();
  const refused = await api.call('GET', url, undefined, headers);
  expect(refused.body).toMatchObject({ status: 412, code: 'REVISION_MISMATCH' });
});

it('names the download as its uploader did, whatever the name holds', async () => {
  const response = await api.call('HEAD', await fileUrl('größe "1"\r\nSet-Cookie: x.png'));
  expect(response.status).toBe(200);
  expect(response.headers.get('set-cookie')).toBeNull();
  expect(response.headers.get('content-disposition')).toContain("filename*=UTF-8''gr%C3%B6%C3%9Fe");
});

it.each([
  '/media/',
  '/media/image/nothing.png',
  '/media/image/..%2f..%2fredis%2fdump.rdb',
  '/media/..%2f..%2f..%2fetc%2fpasswd',
  '/media/image/%00',
  '/media/image/a%5c..%5cb.png',
])('finds nothing at %s', async (path) => {
  const { status, body } = await api.call('GET', path);
  expect({ status, code: body.code }).toEqual({ status: 404, code: 'NOT_FOUND' });
});

it('logs no error for clients that leave before the file comes', async () => {
  const error = vi.fn<Logger['error']>();
  const log: Logger = { ...silentLogger, error, child: () => log };
  const own = await startApi(redis, {}, log);
  const { url } = await own.addMedia({});
  for (let n = 0; n < 50; n += 1) {
    const socket = connect(own.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`GET ${url} HTTP/1.1\r\nHost: localhost\r\n\r\n`, () => socket.destroy());
    await once(socket, 'close');
  }
  // It ends once every request has.
  await own.close();
  expect(error.mock.calls).toEqual([]);
});

it('needs the read role where keys are configured, and none with PUBLIC_READ', async () => {
  const API_KEYS = 'r:read:read-secret';
  const [locked, opened] = await Promise.all([
    startApi(redis, { API_KEYS }),
    startApi(redis, { API_KEYS, PUBLIC_READ: 'true' }),
  ]);
  const { url } = await locked.addMedia();
  expect((await locked.call('GET', url)).status).toBe(401);
  const allowed = await locked.call('GET', url, undefined, { 'X-API-Key': 'read-secret' });
  expect({ status: allowed.status, cache: allowed.headers.get('cache-control') }).toEqual({
    status: 200,
    cache: 'private, no-cache',
  });
  const open = await opened.addMedia();
  expect((await opened.call('GET', open.url)).status).toBe(200);
  await locked.close();
  await opened.close();
});

it('keeps links working where Cloudinary took the place of the local host, until the file is deleted', async () => {
  const emulator = await startCloudinaryEmulator();
  onTestFinished(() => emulator.close());
  const earlier = await mkdtemp(join(tmpdir(), 'holdfast-earlier-'));
  onTestFinished(() => rm(earlier, { recursive: true, force: true }));
  const local = await createMediaHost(readSettings({ DATA_DIR: earlier }).host, {
    log: silentLogger,
  });
  onTestFinished(() => local.close());
  const cloud = await startApi(redis, { DATA_DIR: earlier, CLOUDINARY_URL: emulator.cloudinaryUrl });
  onTestFinished(() => cloud.close());
  const moved = await cloud.addMedia();
  const ref = { publicId: moved.publicId, resourceType: moved.resourceType } as const;
  const signal = AbortSignal.timeout(5_000);
  const { asset } = await local.put({ ref, metadata: { context: {}, tags: [] }, body: onePixelPng, signal });
  const get = async () => {
    const response = await cloud.request(asset.url);
    return {
      status: response.status,
      location: response.headers.get('location'),
      sharedWith: response.headers.get('cross-origin-resource-policy'),
      bytes: await response.arrayBuffer(),
    };
  };
  expect(await get()).toMatchObject({ status: 302, location: moved.url, sharedWith: 'cross-origin' });
  await cloud.deps.catalog.saveIf({ ...moved, url: asset.url, hostVersion: 1 }, moved);
  const { status, bytes } = await get();
  expect({ status, isSame: Buffer.from(bytes).equals(onePixelPng) }).toEqual({ status: 200, isSame: true });
  await cloud.deps.catalog.beginDelete(moved.id);
  expect(await get()).toMatchObject({ status: 404 });
  await cloud.deps.catalog.finishDelete(moved.id);
  expect(await get()).toMatchObject({ status: 404 });
});
