import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './free-port.js';
import { durableArgs, placeArgs, startRedisServer, type RedisServerProcess } from './redis-server-process.js';
import { makeTlsFiles, tlsArgs, type TlsFiles } from './tls-certificate.js';

/** One server of several, and a connection of the test to it. */
export interface RedisNode {
  port: number;
  directory: string;
  client: Redis;
  kill(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(): void;
  resume(): void;
}

/** Several servers under one folder that goes with them. */
export interface RedisNodes {
  directory: string;
  /** Set where the servers speak TLS only. */
  tls: TlsFiles | null;
  /** What every client of theirs needs. */
  clientOptions: { tls?: TlsFiles['client'] };
  /** Arguments that give one more server its place. */
  placeArgs(port: number, directory: string): string[];
  add(args?: readonly string[], port?: number): Promise<RedisNode>;
  close(): Promise<void>;
}

const ATTEMPTS = 100;
const EVERY_MS = 100;

export async function redisNodes(name: string, encrypted = false): Promise<RedisNodes> {
  const directory = await mkdtemp(join(tmpdir(), `holdfast-${name}-`));
  const tls = encrypted ? await makeTlsFiles(directory) : null;
  const nodes: RedisNode[] = [];
  const setup: NodeSetup = {
    directory,
    tls,
    clientOptions: tls === null ? {} : { tls: tls.client },
    placeArgs: (port, folder) => [...placeArgs(port, folder), ...(tls === null ? [] : tlsArgs(port, tls))],
  };
  return {
    ...setup,
    add: async (args = [], port) => {
      const node = await startNode(setup, args, port ?? (await freePort()));
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

type NodeSetup = Omit<RedisNodes, 'add' | 'close'>;

async function startNode(setup: NodeSetup, args: readonly string[], port: number): Promise<RedisNode> {
  const directory = join(setup.directory, String(port));
  await mkdir(directory);
  let server: RedisServerProcess | undefined;
  const client = new Redis({ port, maxRetriesPerRequest: null, lazyConnect: true, ...setup.clientOptions });
  client.on('error', () => undefined);
  const start = async (): Promise<void> => {
    server = await startRedisServer('redis-server', [
      ...setup.placeArgs(port, directory),
      ...durableArgs,
      ...args,
    ]);
    await client.ping();
  };
  await start();
  return {
    port,
    directory,
    client,
    start,
    kill: async () => server?.kill(),
    pause: () => server?.pause(),
    resume: () => server?.resume(),
  };
}

/** Polls until `condition` holds; what it throws counts as "not yet". */
export async function eventually(what: string, condition: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (await condition().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  throw new Error(`${what} did not come`);
}
