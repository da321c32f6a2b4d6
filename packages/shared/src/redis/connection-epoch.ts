import { Cluster, Command, type Redis } from 'ioredis';
import type { RedisClient } from './connect-redis.js';

/**
 * A number that grows whenever commands on `key` may have gone to another server, or to the same one after a loss. A
 * Cluster client stays ready through a failover, so there the connections to its nodes count, and who holds the slot.
 */
export function connectionEpoch(client: RedisClient, key: string): () => number {
  let epoch = 0;
  const grow = (): void => {
    epoch += 1;
  };
  client.on('ready', grow);
  if (!(client instanceof Cluster)) return () => epoch;
  const cluster = client;
  cluster.on('+node', (node: Redis) => node.on('ready', grow));
  cluster.on('-node', grow);
  let holder = holderOf(cluster, key);
  return () => {
    const now = holderOf(cluster, key);
    if (now !== holder) grow();
    holder = now;
    return epoch;
  };
}

/**
 * The server that holds `key` now, for commands that name no key: a Cluster client would ask any node. The client itself
 * where there is one server, or where the holder is not known yet.
 */
export function serverOf(client: RedisClient, key: string): RedisClient {
  if (!(client instanceof Cluster)) return client;
  const address = holderOf(client, key);
  return (
    client
      .nodes('master')
      .find(({ options }) => `${String(options.host)}:${String(options.port)}` === address) ?? client
  );
}

/** `host:port` of the master that the client believes to hold the key. */
function holderOf(cluster: Cluster, key: string): string | undefined {
  return cluster.slots[new Command('get', [key]).getSlot()]?.[0];
}
