import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './free-port.js';
import { durableArgs, placeArgs, startRedisServer, type RedisServerProcess } from './redis-server-process.js';

/** One server of several, and a connection of the test to it. */
export interface RedisNode {
  port: number;
  directory: string;
  client: Redis;
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** Several servers under one folder that goes with them. */
export interface RedisNodes {
  directory: string;
  add(args?: readonly string[], port?: number): Promise<RedisNode>;
  close(): Promise<void>;
}

const ATTEMPTS = 100;
const EVERY_MS = 100;

export async function redisNodes(name: string): Promise<RedisNodes> {
  const directory = await mkdtemp(join(tmpdir(), `holdfast-${name}-`));
  const nodes: RedisNode[] = [];
  return {
    directory,
    add: async (args = [], port) => {
      const node = await startNode(directory, args, port ?? (await freePort()));
      nodes.push(node);
      return node;
    },
    close: async () => {
      for (const { client } of nodes) client.disconnect();
      await Promise.all(nodes.map((node) => node.kill()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function startNode(parent: string, args: readonly string[], port: number): Promise<RedisNode> {
  const directory = join(parent, String(port));
  await mkdir(directory);
  let server: RedisServerProcess | undefined;
  const client = new Redis({ port, maxRetriesPerRequest: null, lazyConnect: true });
  client.on('error', () => undefined);
  const start = async (): Promise<void> => {
    server = await startRedisServer('redis-server', [...placeArgs(port, directory), ...durableArgs, ...args]);
    await client.ping();
  };
  await start();
  return { port, directory, client, start, kill: async () => server?.kill() };
}

/** Polls until `condition` holds; what it throws counts as "not yet". */
export async function eventually(what: string, condition: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (await condition().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  throw new Error(`${what} did not come`);
}
