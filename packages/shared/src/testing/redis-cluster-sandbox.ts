import { Cluster } from 'ioredis';
import { freePort } from './free-port.js';
import { eventually, redisNodes, type RedisNode } from './redis-nodes.js';
import type { FailoverServers } from './redis-servers.js';

/** Short, so that tests are: in production it is 15 s. */
const NODE_TIMEOUT_MS = 1_000;
const SLOTS = 16_384;
const PER_MASTER = Math.ceil(SLOTS / 3);
/** The keys of a deployment with the default prefix lie where this one does. */
const OUR_KEY = '{holdfast}:barrier';

interface ClusterNode extends RedisNode {
  /** Where nodes talk with each other. */
  busPort: number;
}

/** Three masters, each with a replica; `encrypted`: they speak TLS only, with clients and among each other. */
export async function startClusterSandbox({ encrypted = false } = {}): Promise<FailoverServers> {
  const nodes = await redisNodes('cluster', encrypted);
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(NODE_TIMEOUT_MS)];
  args.push('--repl-diskless-sync-delay', '0');
  // By default nodes talk on the port 10,000 above their own, which need not exist.
  const addNode = async (): Promise<ClusterNode> => {
    const busPort = await freePort();
    return { ...(await nodes.add([...args, '--cluster-port', String(busPort)])), busPort };
  };
  const all = await Promise.all(Array.from({ length: 6 }, addNode));
  await form(all);
  const client = new Cluster(
    all.map(({ port }) => ({ host: '127.0.0.1', port })),
    {
      slotsRefreshTimeout: 2_000,
      redisOptions: nodes.clientOptions,
      dnsLookup: (address, callback) => callback(null, address),
    },
  );
  client.on('error', () => undefined);
  const slot = Number(await all[0]?.client.cluster('KEYSLOT', OUR_KEY));
  const scheme = encrypted ? 'rediss://' : '';
  let killed: RedisNode | undefined;

  const masterPort = async (): Promise<number> => {
    const asked = all.find((node) => node !== killed);
    const ranges = (await asked?.client.cluster('SLOTS')) ?? [];
    const range = ranges.find(([from, to]) => from <= slot && slot <= to);
    const master = range?.[2];
    if (master === undefined) throw new Error('no master for our keys');
    return master[1];
  };
  return {
    env: {
      REDIS_CLUSTER_NODES: all.map(({ port }) => `${scheme}127.0.0.1:${String(port)}`).join(),
      ...(nodes.tls === null ? {} : { REDIS_TLS_CA: nodes.tls.ca }),
    },
    client,
    masterPort,
    wipe: async () => void (await Promise.all(client.nodes('master').map((node) => node.flushall()))),
    killMaster: async () => {
      const port = await masterPort();
      killed = all.find((node) => node.port === port);
      await killed?.kill();
    },
    reviveKilled: async () => killed?.start(),
    close: async () => {
      client.disconnect();
      await nodes.close();
    },
  };
}

/** What `redis-cli --cluster create` does. */
async function form(nodes: readonly ClusterNode[]): Promise<void> {
  const [first] = nodes;
  for (const [index, { client }] of nodes.slice(0, 3).entries()) {
    const to = Math.min((index + 1) * PER_MASTER, SLOTS) - 1;
    await client.call('CLUSTER', 'ADDSLOTSRANGE', index * PER_MASTER, to);
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
  }
  for (const { client } of nodes.slice(1))
    await client.call('CLUSTER', 'MEET', '127.0.0.1', first?.port ?? 0, first?.busPort ?? 0);
  for (const [index, { client }] of nodes.slice(3).entries()) {
    const masterId = String(await nodes[index]?.client.call('CLUSTER', 'MYID'));
    await eventually('the meeting of the nodes', async () => {
      await client.call('CLUSTER', 'REPLICATE', masterId);
      return true;
    });
  }
  await eventually('the cluster', async () => {
    const states = await Promise.all(nodes.map(({ client }) => client.cluster('INFO')));
    const replicas = await Promise.all(nodes.slice(0, 3).map(({ client }) => client.info('replication')));
    return (
      states.every((state) => state.includes('cluster_state:ok') && state.includes('known_nodes:6')) &&
      replicas.every((info) => info.includes('state=online'))
    );
  });
}
