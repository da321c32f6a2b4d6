import type { Cluster, Redis } from 'ioredis';

/**
 * While a slot moves, ioredis sends ASKING ahead of each command that its new node must answer, and looks at the answer of
 * the command only. A node that goes away fails both: the failure of ASKING, which nobody handles, would end the process.
 * Clients made of this one are given the same.
 */
export function catchAsking(cluster: Cluster): Cluster {
  cluster.on('+node', (node: Redis) => {
    const asking = node.asking.bind(node);
    node.asking = (...args) => {
      const answer = asking(...args);
      answer.catch(() => undefined);
      return answer;
    };
  });
  const duplicate = cluster.duplicate.bind(cluster) as (...args: unknown[]) => Cluster;
  cluster.duplicate = (...args: unknown[]) => catchAsking(duplicate(...args));
  return cluster;
}
