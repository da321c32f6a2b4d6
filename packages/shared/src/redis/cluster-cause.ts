import type { Cluster, Redis } from 'ioredis';

/**
 * Gives the error of a Cluster client that found no node its cause. ioredis asks the nodes over connections whose errors it
 * drops, and reports only that they were closed: a refused certificate would look like a server that is away.
 */
export function nameCause(cluster: Cluster): Cluster {
  let met: Error | undefined;
  cluster.on('+node', (node: Redis) => {
    const duplicate = node.duplicate.bind(node);
    node.duplicate = (...args) =>
      duplicate(...args).on('error', (error: Error) => {
        met = error;
      });
  });
  cluster.on('error', (error: Error & { lastNodeError?: Error }) => {
    const last = error.lastNodeError;
    const isSilent = last === undefined || last.message === 'Connection is closed.';
    error.cause ??= isSilent ? met : last;
  });
  cluster.on('ready', () => {
    met = undefined;
  });
  return cluster;
}
