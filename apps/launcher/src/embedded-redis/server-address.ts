import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type ListenOptions } from 'node:net';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the embedded server listens: a socket in its own folder, or a loopback port behind a random password. */
export type ServerAddress =
  { kind: 'socket'; path: string } | { kind: 'port'; port: number; password: string };

/** The longest path that fits into a socket address on every system we run on. */
const LONGEST_SOCKET_PATH = 103;

/** A socket where the folder can hold one, else a free port. Whoever calls this must own the folder. */
export async function chooseAddress(directory: string): Promise<ServerAddress> {
  const path = join(directory, 'redis.sock');
  if (Buffer.byteLength(path) <= LONGEST_SOCKET_PATH && (await canHoldSocket(path)))
    return { kind: 'socket', path };
  return { kind: 'port', port: await freePort(), password: randomBytes(24).toString('hex') };
}

/** The address in the form that HOLDFAST_EMBEDDED_REDIS takes. */
export function addressSetting(address: ServerAddress): string {
  return address.kind === 'socket'
    ? address.path
    : `redis://:${address.password}@127.0.0.1:${String(address.port)}`;
}

/** Some mounted folders refuse sockets. */
async function canHoldSocket(path: string): Promise<boolean> {
  await rm(path, { force: true });
  try {
    await listenOnce({ path });
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const { port } = (await listenOnce({ host: '127.0.0.1', port: 0 })) as AddressInfo;
  return port;
}

async function listenOnce(options: ListenOptions): Promise<unknown> {
  const server = createServer();
  server.listen(options);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return address;
}
