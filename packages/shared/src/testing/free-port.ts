import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports that systems give to outgoing connections and to servers that name none: those would take a port between
 * here and its use, or while its server is down. Each of vitest's workers has a part of its own.
 */
const FIRST_PORT = 12_000;
const PORTS_PER_WORKER = 2_000;
const WORKERS = 10;

const { VITEST_POOL_ID = '0' } = process.env;
const worker = Number(VITEST_POOL_ID) % WORKERS;
let turn = Math.floor(Math.random() * PORTS_PER_WORKER);

/** A port that nobody listens on, and that no other test of the same run is given while it is in use. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < PORTS_PER_WORKER; tried++) {
    turn = (turn + 1) % PORTS_PER_WORKER;
    const port = FIRST_PORT + worker * PORTS_PER_WORKER + turn;
    if (await isFree(port)) return port;
  }
  throw new Error('every port of this worker is taken');
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
