import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startFaultProxy, type FaultProxy } from './fault-proxy.js';

let received: string[];
let proxy: FaultProxy;
let close: () => Promise<void>;
beforeEach(async () => {
  received = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk.toString());
      socket.write(`echo ${chunk.toString()}`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await startFaultProxy((server.address() as AddressInfo).port);
  close = async () => {
    await proxy.close();
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
});
afterEach(() => close());

async function open(): Promise<{ socket: Socket; heard: string[]; ended: Promise<unknown> }> {
  const socket = connect(proxy.port, '127.0.0.1');
  const heard: string[] = [];
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => heard.push(chunk.toString()));
  const ended = new Promise((resolve) => socket.once('close', resolve));
  await Promise.race([once(socket, 'connect').catch(() => undefined), ended]);
  return { socket, heard, ended };
}

it('passes everything on, both ways', async () => {
  const { socket, heard } = await open();
  socket.write('a');
  await vi.waitFor(() => expect(heard).toEqual(['echo a']));
});

it('drops replies to what was done, and then resets the connection', async () => {
  const { socket, heard, ended } = await open();
  proxy.set({ kind: 'drop-replies' });
  socket.write('a');
  await vi.waitFor(() => expect(proxy.dropped()).toBe('echo a'.length));
  expect(received).toEqual(['a']);
  proxy.set({ kind: 'pass' });
  await ended;
  expect(heard).toEqual([]);
});

it('loses one reply and its connection, and passes the next ones on', async () => {
  proxy.set({ kind: 'lose-reply', nth: 2 });
  const first = await open();
  first.socket.write('a');
  await vi.waitFor(() => expect(first.heard).toEqual(['echo a']));
  first.socket.write('b');
  await first.ended;
  expect(received).toEqual(['a', 'b']);
  expect(first.heard).toEqual(['echo a']);
  expect(proxy.dropped()).toBe('echo b'.length);
  const second = await open();
  second.socket.write('c');
  await vi.waitFor(() => expect(second.heard).toEqual(['echo c']));
});

it('leaves without a sign what is open, for ever, and passes what comes', async () => {
  const old = await open();
  old.socket.write('a');
  await vi.waitFor(() => expect(old.heard).toEqual(['echo a']));
  proxy.set({ kind: 'strand' });
  old.socket.write('b');
  proxy.set({ kind: 'pass' });
  old.socket.write('c');
  const { socket, heard } = await open();
  socket.write('d');
  await vi.waitFor(() => expect(heard).toEqual(['echo d']));
  expect(old.heard).toEqual(['echo a']);
  expect(old.socket.destroyed).toBe(false);
});

it('cuts what is open and refuses what comes', async () => {
  const { ended } = await open();
  await vi.waitFor(() => expect(proxy.size()).toBe(1));
  expect(proxy.cut()).toBe(1);
  await ended;
  proxy.set({ kind: 'refuse' });
  const { ended: refused } = await open();
  await refused;
  await vi.waitFor(() => expect(proxy.size()).toBe(0));
});

it('delays what passes', async () => {
  const { socket, heard } = await open();
  proxy.set({ kind: 'delay', ms: 60 });
  const start = performance.now();
  socket.write('a');
  await vi.waitFor(() => expect(heard).toEqual(['echo a']));
  expect(performance.now() - start).toBeGreaterThan(100);
});

it('carries much at once over a slow line, in its order', async () => {
  const { socket, heard } = await open();
  proxy.set({ kind: 'delay', ms: 100 });
  const start = performance.now();
  for (let n = 0; n < 10; n += 1) {
    socket.write(String(n));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await vi.waitFor(() => expect(heard.join('').replaceAll('echo ', '')).toBe('0123456789'));
  expect(performance.now() - start).toBeLessThan(1_500);
});

it('lets arrive what is under way when the line is fast again', async () => {
  const { socket, heard } = await open();
  proxy.set({ kind: 'delay', ms: 60_000 });
  socket.write('a');
  await vi.waitFor(() => expect(proxy.late()).toBe(1));
  proxy.set({ kind: 'pass' });
  await vi.waitFor(() => expect(heard).toEqual(['echo a']));
});
