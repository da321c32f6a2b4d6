import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { readSettings, type RedisSettings } from '@holdfast/foundation/config';
import { freePort } from './free-port.js';
import { durableArgs, placeArgs, startRedisServer, type RedisServerProcess } from './redis-server-process.js';
import type { RedisServers } from './redis-servers.js';

/** One server of a test, with its data in a folder that goes with it. */
export interface RedisSandbox extends RedisServers {
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
}

/** A real redis-server of its own: append-only file fsynced on every write unless `args` say otherwise. */
export async function startRedisSandbox(
  args: readonly string[] = [],
  binary = 'redis-server',
): Promise<RedisSandbox> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-redis-'));
  const port = await freePort();
  const url = `redis://127.0.0.1:${String(port)}`;
  const start = (): Promise<RedisServerProcess> =>
    startRedisServer(binary, [...placeArgs(port, directory), ...durableArgs, ...args]);
  let server = await start();
  const client = new Redis(url, { maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  await waitForServer(client, server);
  return {
    url,
    port,
    directory,
    env: { REDIS_URL: url },
    settings: readSettings({ REDIS_URL: url }).redis,
    client,
    wipe: async () => void (await client.flushall()),
    kill: () => server.kill(),
    restart: async () => {
      await server.kill();
      server = await start();
      await waitForServer(client, server);
    },
    pause: () => server.pause(),
    resume: () => server.resume(),
    close: async () => {
      client.disconnect();
      await server.kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Another server may have taken the port: only ours, by its process id, will do. */
async function waitForServer(client: Redis, server: RedisServerProcess): Promise<void> {
  const info = await client.info('server');
  if (!info.includes(`process_id:${String(server.pid)}`))
    throw new Error('another server answers on the port of the sandbox');
}
