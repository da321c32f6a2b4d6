import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import express, { type Request, type Response } from 'express';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort, onePixelPng, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi } from '../../test/support/running-api.js';
import { expressMessages } from './http-server.js';

let redis: RedisSandbox;

beforeAll(async () => {
  redis = await startRedisSandbox();
});

afterAll(() => redis.close());

async function aConnection(port: number) {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  return { socket, closed, received: () => received };
}

const GET = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n';
const EDIT = '{"title":"x"}';
const FORM = [
  '--b',
  'Content-Disposition: form-data; name="file"; filename="a.png"',
  '',
  onePixelPng.toString('latin1'),
  '--b--',
  '',
].join('\r\n');
const REST_OF_UPLOAD = Buffer.from(
  `Content-Type: multipart/form-data; boundary=b\r\nContent-Length: ${String(FORM.length)}\r\n\r\n${FORM}`,
  'latin1',
);

/** An edit of no media, without its body, which the server has said that it waits for. */
async function anInvitedEdit(port: number) {
  const connection = await aConnection(port);
  const head = [
    'PATCH /api/media/01K00000000000000000000000 HTTP/1.1',
    'Host: localhost',
    'Content-Type: application/json',
    'Expect: 100-continue',
    `Content-Length: ${String(EDIT.length)}`,
  ];
  connection.socket.write(`${head.join('\r\n')}\r\n\r\n`);
  await vi.waitFor(() => expect(connection.received()).toContain('100 Continue'));
  return connection;
}

describe('stopping', () => {
  it('ends idle connections at once and accepts no new ones', async () => {
    const api = await startApi(redis);
    const idle = await aConnection(api.port);
    idle.socket.write(GET);
    await vi.waitFor(() => expect(idle.received()).toContain('"ok"'));
    const start = performance.now();
    await api.stop(AbortSignal.timeout(10_000));
    await idle.closed;
    expect(performance.now() - start).toBeLessThan(2_000);
    await expect(api.request('/livez')).rejects.toThrow(/fetch failed/);
    await api.close();
  });

  it('answers what is under way, and a wait for a result with what is known', async () => {
    const api = await startApi(redis);
    const waiting = api.call('POST', '/api/media/sync-cloudinary', undefined, { Prefer: 'wait=60' });
    await vi.waitFor(async () => expect(await api.deps.queues.queues.sync.count()).toBe(1));
    await api.stop(AbortSignal.timeout(10_000));
    expect((await waiting).status).toBe(202);
    await api.close();
  });

  it('answers an upload that waits to be verified', async () => {
    const api = await startApi(redis);
    const body = new FormData();
    body.set('file', new Blob([onePixelPng]), 'a.png');
    const headers = { Prefer: 'wait=60' };
    const waiting = api.request('/api/media/upload', { method: 'POST', headers, body });
    await vi.waitFor(async () => expect((await api.deps.catalog.counts()).total).toBe(1));
    await api.stop(AbortSignal.timeout(10_000));
    expect((await waiting).status).toBe(202);
    await api.close();
  });

  it('answers a request that ends in time, and cuts one that never ends when its time is up', async () => {
    const api = await startApi(redis);
    const [ending, crawling] = await Promise.all([anInvitedEdit(api.port), anInvitedEdit(api.port)]);
    const deadline = new AbortController();
    const stopped = api.stop(deadline.signal);
    ending.socket.write(EDIT);
    await ending.closed;
    expect(ending.received()).toMatch(/HTTP\/1\.1 404 /);
    expect(api.deps.shutdown.cut.aborted).toBe(false);
    expect(crawling.socket.closed).toBe(false);
    const start = performance.now();
    deadline.abort();
    await Promise.all([crawling.closed, stopped]);
    expect(performance.now() - start).toBeLessThan(2_000);
    expect(crawling.received()).not.toContain('404');
    await api.close();
  });

  it('is safe twice and refuses uploads meanwhile', async () => {
    const api = await startApi(redis);
    const client = await aConnection(api.port);
    // A connection on which a request has begun to arrive is not idle: it stays open until it has an answer.
    client.socket.write(`${GET}POST /api/media/upload HTTP/1.1\r\nHost: localhost\r\n`);
    await vi.waitFor(() => expect(client.received()).toContain('"ok"'));
    const stopped = [api.stop(AbortSignal.timeout(10_000)), api.stop(AbortSignal.timeout(10_000))];
    client.socket.write(REST_OF_UPLOAD);
    await client.closed;
    expect(client.received()).toMatch(/HTTP\/1\.1 503 /);
    expect(client.received()).toContain('"code":"SHUTTING_DOWN"');
    await Promise.all(stopped);
    await api.close();
  });
});

it('says on a kept connection that it is the last answer while it stops', async () => {
  const api = await startApi(redis);
  const kept = await aConnection(api.port);
  api.deps.shutdown.drain();
  kept.socket.write(GET);
  await kept.closed;
  expect(kept.received()).toMatch(/Connection: close/i);
  await api.close();
});

it('starts with any limit of bytes', async () => {
  const api = await startApi(redis, { UPLOAD_MAX_BYTES: '1234567' });
  expect((await api.request('/livez')).status).toBe(200);
  await api.close();
});

it('does not start where the port is taken', async () => {
  const api = await startApi(redis);
  await expect(startApi(redis, { PORT: String(api.port) })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    errors: [{ path: 'PORT' }],
  });
  await api.close();
});

setFlagsFromString('--allow-natives-syntax');
const haveSameShape = runInThisContext('(one, other) => %HaveSameMap(one, other)') as (
  one: object,
  other: object,
) => boolean;

/** Two requests that are in the same place at the same time, with their answers. */
async function twoAtOnce(classes: typeof expressMessages | null): Promise<[Request, Response][]> {
  const app = express();
  const met: [Request, Response][] = [];
  app.get('/', (req, res) => {
    met.push([req, res]);
    if (met.length === 2) for (const [, answer] of met) (answer as ServerResponse).end(req.hostname);
  });
  const port = await freePort();
  const server = createServer(classes?.(app) ?? {}, app).listen(port, '127.0.0.1');
  try {
    const ask = async (): Promise<string> => (await fetch(`http://127.0.0.1:${String(port)}/`)).text();
    expect(await Promise.all([ask(), ask()])).toEqual(['127.0.0.1', '127.0.0.1']);
  } finally {
    server.close();
    server.closeAllConnections();
  }
  return met;
}

it('requests and answers of an Express app have one shape, where Express alone gives each its own', async () => {
  const shared = async (classes: typeof expressMessages | null): Promise<boolean[]> => {
    const [one, other] = await twoAtOnce(classes);
    if (one === undefined || other === undefined) throw new Error('two requests');
    return [haveSameShape(one[0], other[0]), haveSameShape(one[1], other[1])];
  };
  expect(await shared(null)).toEqual([false, false]);
  expect(await shared(expressMessages)).toEqual([true, true]);
});
