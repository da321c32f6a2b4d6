import type { Cluster, Redis } from 'ioredis';

/** One or several servers that together are the Redis of a deployment. */
export interface RedisServers {
  /** The settings that name it, as an operator would write them. */
  env: Record<string, string>;
  /** The test's own connection, for looks and faults; closed with the servers. */
  client: Redis | Cluster;
  /** Empties every master. */
  wipe(): Promise<void>;
  close(): Promise<void>;
}

/** Servers that outlast the loss of their master. */
export interface FailoverServers extends RedisServers {
  /** Ends the master of our keys at once, as a crash would. */
  killMaster(): Promise<void>;
  /** Starts the server that was killed again, with its data. */
  reviveKilled(): Promise<void>;
  /** The port of the master that the others agree on; rejects while there is none. */
  masterPort(): Promise<number>;
}
