import { freePort } from './free-port.js';
import { eventually, redisNodes, type RedisNode } from './redis-nodes.js';

export interface MovingSlot {
  /** The settings that name the first of the two masters. */
  env: Record<string, string>;
  /** The one that gives the slot of the key away, and the one that takes it. */
  from: RedisNode;
  to: RedisNode;
  killTo(): Promise<void>;
  /** Ends the move: the slot is the other one's now. The key itself is not moved. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/** A cluster of two masters, in which the slot of `key` is on its way from the first, which has all slots, to the second. */
export async function startMovingSlot(key: string): Promise<MovingSlot> {
  const nodes = await redisNodes('moving');
  const addNode = async (): Promise<RedisNode & { busPort: string }> => {
    const busPort = String(await freePort());
    const args = ['--cluster-enabled', 'yes', '--cluster-port', busPort];
    return { ...(await nodes.add([...args, '--cluster-announce-ip', '127.0.0.1'])), busPort };
  };
  const [from, to] = await Promise.all([addNode(), addNode()]);
  await from.client.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
  await to.client.call('CLUSTER', 'SET-CONFIG-EPOCH', 1);
  await from.client.call('CLUSTER', 'MEET', '127.0.0.1', to.port, to.busPort);
  await eventually('the cluster', async () => {
    const states = await Promise.all([from, to].map(({ client }) => client.cluster('INFO')));
    return states.every((state) => state.includes('cluster_state:ok') && state.includes('known_nodes:2'));
  });
  const slot = await from.client.cluster('KEYSLOT', key);
  const [fromId, toId] = await Promise.all(
    [from, to].map(async ({ client }) => String(await client.call('CLUSTER', 'MYID'))),
  );
  await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId ?? '');
  await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId ?? '');
  return {
    env: { REDIS_CLUSTER_NODES: `127.0.0.1:${String(from.port)}` },
    from,
    to,
    killTo: () => to.kill(),
    finish: async () => {
      for (const { client } of [to, from]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId ?? '');
    },
    close: () => nodes.close(),
  };
}
