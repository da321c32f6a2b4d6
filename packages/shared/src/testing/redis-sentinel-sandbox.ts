import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { SentinelConnector } from '../redis/index.js';
import { freePort } from './free-port.js';
import { eventually, redisNodes, type RedisNode, type RedisNodes } from './redis-nodes.js';
import { startRedisServer } from './redis-server-process.js';
import type { FailoverServers } from './redis-servers.js';

const MASTER = 'media';
/** Short, so that tests are: in production it is 5 to 30 s. */
const DOWN_AFTER_MS = 1_000;

export interface SentinelOptions {
  /** All servers speak TLS only. */
  encrypted?: boolean;
  /** What the sentinels ask of their clients, and of each other. */
  sentinelPassword?: string;
  /** Given the port of the first master: the port under which all others are to know it, so that a test can cut them off. */
  linkTo?: (masterPort: number) => Promise<number>;
}

/** A master, two replicas and three sentinels. */
export async function startSentinelSandbox({
  encrypted = false,
  sentinelPassword,
  linkTo = (port) => Promise.resolve(port),
}: SentinelOptions = {}): Promise<FailoverServers> {
  const nodes = await redisNodes('sentinel', encrypted);
  const master = await nodes.add();
  const knownPort = await linkTo(master.port);
  const replicaOf = ['--replicaof', '127.0.0.1', String(knownPort), '--repl-diskless-sync-delay', '0'];
  const data = [master, ...(await Promise.all([nodes.add(replicaOf), nodes.add(replicaOf)]))];
  await eventually('replication', async () => (await connectedReplicas(master.client)) === 2);

  const sentinels = await Promise.all([0, 1, 2].map(() => startSentinel(nodes, knownPort, sentinelPassword)));
  const first = new Redis({
    port: sentinels[0]?.port ?? 0,
    maxRetriesPerRequest: null,
    ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
    ...nodes.clientOptions,
  });
  first.on('error', () => undefined);
  await eventually('agreement of the sentinels', async () =>
    describesAll(await first.call('SENTINEL', 'MASTER', MASTER)),
  );

  const addresses = sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
  const client = new Redis({
    sentinels: addresses,
    name: MASTER,
    failoverDetector: true,
    // As in the product: without it a failover reported during a search would end this client for good.
    Connector: SentinelConnector,
    maxRetriesPerRequest: null,
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(nodes.tls === null
      ? {}
      : { enableTLSForSentinelMode: true, tls: nodes.tls.client, sentinelTLS: nodes.tls.client }),
  });
  client.on('error', () => undefined);
  const masterPort = async (): Promise<number> => {
    const [, port] = (await first.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER)) as [string, string];
    return Number(port);
  };
  const scheme = encrypted ? 'rediss://' : '';
  let killed: RedisNode | undefined;
  return {
    env: {
      REDIS_SENTINELS: addresses.map(({ host, port }) => `${scheme}${host}:${String(port)}`).join(),
      REDIS_SENTINEL_NAME: MASTER,
      ...(sentinelPassword === undefined ? {} : { REDIS_SENTINEL_PASSWORD: sentinelPassword }),
      ...(nodes.tls === null ? {} : { REDIS_TLS_CA: nodes.tls.ca }),
    },
    client,
    masterPort,
    wipe: async () => void (await client.flushall()),
    killMaster: async () => {
      const port = await masterPort();
      killed = data.find((node) => node.port === port);
      await killed?.kill();
    },
    reviveKilled: async () => killed?.start(),
    close: async () => {
      client.disconnect();
      first.disconnect();
      await Promise.all(sentinels.map(({ server }) => server.kill()));
      await nodes.close();
    },
  };
}

async function startSentinel(nodes: RedisNodes, masterPort: number, password: string | undefined) {
  const port = await freePort();
  const file = join(nodes.directory, `sentinel-${String(port)}.conf`);
  // Sentinels keep what they learn in their configuration.
  await writeFile(
    file,
    [
      `sentinel monitor ${MASTER} 127.0.0.1 ${String(masterPort)} 2`,
      `sentinel down-after-milliseconds ${MASTER} ${String(DOWN_AFTER_MS)}`,
      `sentinel failover-timeout ${MASTER} 5000`,
      `sentinel parallel-syncs ${MASTER} 2`,
      ...(password === undefined ? [] : [`requirepass ${password}`]),
      '',
    ].join('\n'),
  );
  const place = nodes.placeArgs(port, nodes.directory);
  const server = await startRedisServer('redis-server', [file, '--sentinel', ...place]);
  return { port, server };
}

async function connectedReplicas(client: Redis): Promise<number> {
  const info = await client.info('replication');
  return info.split('\n').filter((line) => /^slave\d+:.*state=online/.test(line)).length;
}

/** Two replicas and two other sentinels are known. */
function describesAll(reply: unknown): boolean {
  const text = JSON.stringify(reply instanceof Map ? [...reply] : reply).replaceAll(/[[\]{}]/g, '');
  return /"num-slaves"[,:]"2"/.test(text) && /"num-other-sentinels"[,:]"2"/.test(text);
}
