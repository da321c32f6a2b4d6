import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { boundConnections, type Clients } from './connections.js';
import { createTurns, type Line } from './turns.js';

/** More than the buffers of both ends take. */
const LARGE = Buffer.alloc(32_000_000);

async function serve(
  handle: RequestListener,
  clients: Clients = {},
  limits: Parameters<typeof boundConnections>[3] = {},
  turns = createTurns(),
) {
  const server = createServer();
  server.on('request', boundConnections(server, handle, clients, limits, turns));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return async (): Promise<Socket> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
}

const get = (path: string, times = 1): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(times);

it('begins an answer when the one before on its connection is read', async () => {
  let begun = 0;
  const open = await serve((req, res) => {
    if (req.url === '/large') begun += 1;
    res.end(req.url === '/large' ? LARGE : 'ok');
  });
  const [silent, other] = await Promise.all([open(), open()]);
  silent.pause().write(get('/large', 8));
  for (let asked = 0; asked < 20; asked += 1) {
    other.write(get('/'));
    await once(other, 'data');
  }
  expect(begun).toBe(1);
  silent.resume();
  await expect.poll(() => begun).toBe(8);
});

it('gives other connections their turn between two answers', async () => {
  const order: string[] = [];
  const open = await serve((req, res) => {
    if (order.length === 0) other.write(get('/other'));
    order.push(req.url ?? '');
    res.end();
  });
  const [burst, other] = await Promise.all([open(), open()]);
  burst.resume().write(get('/burst', 500));
  await expect.poll(() => order.length).toBe(501);
  expect(order.indexOf('/other')).toBeLessThan(100);
});

it('begins requests of each line in turn, however many connections one has', async () => {
  const order: string[] = [];
  const open = await serve(
    (req, res) => {
      order.push(req.url ?? '');
      res.end();
    },
    { lineOf: ({ url }) => ({ name: url ?? '', isLimited: true }) },
  );
  const sockets: Socket[] = [];
  while (sockets.length < 51) sockets.push((await open()).resume());
  for (const [n, socket] of sockets.entries()) socket.write(get(n < 50 ? '/burst' : '/other'));
  await expect.poll(() => order.length).toBe(51);
  expect(order.indexOf('/other')).toBeLessThan(20);
});

it('distinguishes requests sent without a pause from the first one and from later ones', async () => {
  const paused: boolean[] = [];
  const open = await serve((_req, res) => void res.end('ok'), {
    lineOf: (_req, hasPaused) => {
      paused.push(hasPaused);
      return { name: '', isLimited: true };
    },
  });
  const socket = (await open()).resume();
  socket.write(get('/', 3));
  await expect.poll(() => paused.length).toBe(3);
  // As late as on a busy machine.
  await pause(50);
  socket.write(get('/'));
  await expect.poll(() => paused.length).toBe(4);
  await pause(300);
  socket.write(get('/'));
  await expect.poll(() => paused).toEqual([true, false, false, false, true]);
});

it('ends a connection whose answer does not move, and none that reads slowly', async () => {
  const ended: string[] = [];
  const open = await serve(
    (req, res) => {
      const { socket } = req;
      res.once('close', () => ended.push(`${req.url ?? ''} ${socket.destroyed ? 'cut' : 'whole'}`));
      res.end(LARGE);
    },
    {},
    { stuckMs: 1_600 },
  );
  const [silent, slow] = await Promise.all([open(), open()]);
  slow.on('data', () => {
    slow.pause();
    setTimeout(() => slow.resume(), 4);
  });
  silent.pause().write(get('/silent'));
  slow.write(get('/slow'));
  await expect.poll(() => ended, { timeout: 20_000 }).toEqual(['/silent cut', '/slow whole']);
});

it('leaves a handler the time that it needs', async () => {
  const limits = { stuckMs: 50 };
  const open = await serve((_req, res) => void pause(200).then(() => res.end('late')), {}, limits);
  const socket = await open();
  socket.write(get('/'));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toContain('late');
});

it('cuts connections that ask for too much at once where too much waits', async () => {
  const open = await serve((_req, res) => void pause(20).then(() => res.end('ok')), {}, { waiting: 50 });
  const [greedy, modest] = await Promise.all([open(), open()]);
  const ended = once(greedy.resume(), 'close');
  greedy.write(get('/', 100));
  await ended;
  let answers = 0;
  modest.on('data', (chunk: Buffer) => (answers += chunk.toString().split('HTTP/1.1').length - 1));
  modest.write(get('/', 16));
  await expect.poll(() => answers).toBe(16);
});

it('takes no stack traces of the requests that a closed connection leaves behind', async () => {
  const stacks: string[] = [];
  const open = await serve((req) => {
    req.on('error', ({ stack = '' }) => stacks.push(stack));
    req.socket.destroy();
  });
  (await open()).write(get('/'));
  await expect.poll(() => stacks).toEqual(['Error: aborted']);
  expect(new Error('later').stack).toContain('connections.test');
});

it('bounds what waits of many connections that each ask for little', async () => {
  const open = await serve(() => undefined, {}, { waiting: 50 });
  const ended: Socket[] = [];
  for (let n = 0; n < 10; n += 1) {
    const socket = (await open()).resume();
    socket.once('close', () => ended.push(socket));
    socket.write(get('/', 11));
  }
  await expect.poll(() => ended.length).toBe(5);
});

it('cuts the largest answers where too much of them waits to be read', async () => {
  const ended: string[] = [];
  const open = await serve(
    (req, res) => {
      res.once('close', () => ended.push(req.url ?? ''));
      res.end(req.url === '/' ? 'ok' : LARGE.subarray(0, Number(req.url?.slice(1))));
    },
    {},
    { unreadBytes: 60_000_000 },
  );
  const sizes = [28, 32, 24].map((millions) => `/${String(millions * 1_000_000)}`);
  for (const path of sizes) (await open()).pause().write(get(path));
  const other = (await open()).on('data', () => other.write(get('/')));
  other.write(get('/'));
  await expect.poll(() => ended.filter((path) => path !== '/')).toEqual(['/32000000']);
});

it.each([
  [1, 'cut'],
  [100, 'whole'],
])('ends a body of %i bytes a chunk as %s', async (length, expected) => {
  const ended: string[] = [];
  const open = await serve((req, res) => {
    req.resume().once('close', () => ended.push(req.complete ? 'whole' : 'cut'));
    req.once('end', () => res.end());
  });
  const chunk = `${length.toString(16)}\r\n${'a'.repeat(length)}\r\n`;
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  (await open()).resume().write(`${head}${chunk.repeat(20_000)}0\r\n\r\n`);
  await expect.poll(() => ended).toEqual([expected]);
});

it('holds back the line of a body in tiny chunks, once for all that had come', async () => {
  const limited = createTurns(() => true);
  let timesHeldBack = 0;
  const turns = {
    ...limited,
    holdBack: (line: Line): void => {
      timesHeldBack += 1;
      limited.holdBack(line);
    },
  };
  const begun: string[] = [];
  const open = await serve(
    (req) => {
      begun.push(req.url ?? '');
      req.resume();
    },
    { lineOf: ({ url }) => ({ name: (url ?? '').slice(0, 2), isLimited: false }) },
    {},
    turns,
  );
  const tiny = (await open()).resume();
  const ended = new Promise((resolve) => void tiny.once('close', resolve));
  tiny.write(
    `POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\na\r\n'.repeat(20_000)}`,
  );
  await ended;
  for (const path of ['/b1', '/a1', '/a2', '/b2']) (await open()).write(get(path));
  await expect.poll(() => begun).toEqual(['/a', '/b1', '/a1', '/b2']);
  expect(timesHeldBack).toBe(1);
});

it('shares connections among addresses: the longest idle one of the client with the most makes room', async () => {
  const clients = ['a', 'a', 'a', 'b', 'a'];
  const open = await serve(
    (req, res) => void (req.url === '/' && res.end('ok')),
    { clientOfAddress: () => clients.shift() ?? '' },
    { connections: 3 },
  );
  const ended: string[] = [];
  const connectAs = async (name: string): Promise<Socket> =>
    (await open()).resume().once('close', () => ended.push(name));
  (await connectAs('busy')).write(get('/never-answered'));
  for (const name of ['first', 'second', 'of another client']) {
    const socket = await connectAs(name);
    socket.write(get('/'));
    await once(socket, 'data');
  }
  expect(ended).toEqual(['first']);
  await connectAs('one more');
  await expect.poll(() => ended).toEqual(['first', 'one more']);
});
