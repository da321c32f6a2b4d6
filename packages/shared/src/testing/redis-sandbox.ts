import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { readSettings, type RedisSettings } from '../config/index.js';

export interface RedisSandbox {
  url: string;
  port: number;
  directory: string;
  settings: RedisSettings;
  /** A plain connection for the test's own looks and faults; closed with the sandbox. */
  client: Redis;
  /** Ends the server at once, as a crash would. */
  kill(): Promise<void>;
  /** Starts the same data again on the same port. */
  restart(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

/** From util-linux: has the kernel end a process with its parent. */
const DEATH_TIE = '/usr/bin/setpriv';

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** A real redis-server of its own: append-only file fsynced on every write unless `args` say otherwise. */
export async function startRedisSandbox(
  args: readonly string[] = [],
  binary = 'redis-server',
): Promise<RedisSandbox> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-redis-'));
  const port = await freePort();
  const url = `redis://127.0.0.1:${String(port)}`;
  let server = await startServer(binary, port, directory, args);
  const client = new Redis(url, { maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  await waitForServer(client, server);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exit = once(server, 'exit');
    server.kill('SIGCONT');
    server.kill(signal);
    await exit;
  };
  return {
    url,
    port,
    directory,
    settings: readSettings({ REDIS_URL: url }).redis,
    client,
    kill: () => end('SIGKILL'),
    restart: async () => {
      await end('SIGKILL');
      server = await startServer(binary, port, directory, args);
      await waitForServer(client, server);
    },
    pause: () => void server.kill('SIGSTOP'),
    resume: () => void server.kill('SIGCONT'),
    close: async () => {
      client.disconnect();
      await end('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function startServer(
  binary: string,
  port: number,
  directory: string,
  args: readonly string[],
): Promise<ChildProcess> {
  const durable = [
    '--appendonly',
    'yes',
    '--appendfsync',
    'always',
    '--save',
    '',
    '--maxmemory-policy',
    'noeviction',
  ];
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--loglevel', 'warning'];
  const command = [binary, ...place, ...durable, ...args];
  // Tests may be killed: then the server must not live on. Where the tool for that is missing, it would.
  const tied = existsSync(DEATH_TIE) ? [DEATH_TIE, '--pdeathsig', 'KILL', ...command] : command;
  const server = spawn(tied[0] ?? binary, tied.slice(1), { stdio: 'ignore' });
  await once(server, 'spawn');
  return server;
}

/** Another server may have taken the port: only ours, by its process id, will do. */
async function waitForServer(client: Redis, server: ChildProcess): Promise<void> {
  const info = await client.info('server');
  if (!info.includes(`process_id:${String(server.pid)}`))
    throw new Error('another server answers on the port of the sandbox');
}
