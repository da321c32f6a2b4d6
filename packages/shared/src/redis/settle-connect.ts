import type { Cluster } from 'ioredis';

/**
 * Has connect() settle when the connection closes before it is ready. ioredis forgets the promise of a try that met a
 * cluster without a master (`cluster_state:fail`, as in each failover) and begins the next one by itself; BullMQ waits for
 * that promise without a limit, and its worker would never take a job again. Clients made of this one are given the same.
 */
export function settleConnect(cluster: Cluster): Cluster {
  const connect = cluster.connect.bind(cluster);
  cluster.connect = async () => {
    let onClose = (): void => undefined;
    const closed = new Promise<never>((_, reject) => {
      // After ioredis, which says more where it does reject.
      onClose = () => void setImmediate(() => reject(new Error('Connection is closed.')));
    });
    cluster.once('close', onClose);
    try {
      await Promise.race([connect(), closed]);
    } finally {
      cluster.off('close', onClose);
    }
  };
  const duplicate = cluster.duplicate.bind(cluster) as (...args: unknown[]) => Cluster;
  cluster.duplicate = (...args: unknown[]) => settleConnect(duplicate(...args));
  return cluster;
}
