import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import express from 'express';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { boundUnreadBodies } from './request-bodies.js';

const DISCARD_FOR_MS = 5_000;

// Sockets go on in real time.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** A server that reads no body. `refused`: a client that has its answer, and would send on. */
async function setup() {
  const app = express()
    .use(boundUnreadBodies())
    .use((_req, res) => void res.status(401).end('no'));
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const refused = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1');
    onTestFinished(() => void socket.destroy());
    const answer = once(socket, 'data');
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome of it');
    expect(await answer).toEqual([expect.stringMatching(/^HTTP\/1.1 401 /)]);
    return socket;
  };
  return { refused };
}

const closes = (socket: Socket): Promise<unknown> =>
  once(socket, 'close', { signal: AbortSignal.timeout(3_000) });

it('reads on for a while where a client still sends after its answer, and no longer', async () => {
  const { refused } = await setup();
  const client = await refused();
  vi.advanceTimersByTime(DISCARD_FOR_MS - 1);
  expect(client.closed).toBe(false);
  vi.advanceTimersByTime(1);
  await closes(client);
});
