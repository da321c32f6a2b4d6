import { Cluster } from 'ioredis';
import { catalogReads, type FoundRecord } from '@holdfast/shared/catalog';
import { connectionEpoch, profileOfClient, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import { createBatch } from '@holdfast/shared/batch';
import { createMasterCheck } from './master-check.js';

export interface ReadBack {
  read(id: string): Promise<FoundRecord>;
  /** A whole page of records, in the order of the ids. */
  readPage(ids: readonly string[]): Promise<FoundRecord[]>;
  /** Grows with each new connection: what was read before counts no more. */
  epoch(): number;
  /** What differs is read again for so long before anything is concluded: a replica that is behind may have answered. */
  lagMs: number;
}

/**
 * Reads records over a connection that wrote nothing. With replicas it must be the master that answers: a demoted one
 * still serves reads of what the others have dropped. A Cluster client asks masters only.
 */
export function createReadBack(redis: RedisClient, keys: RedisKeys, replicated: boolean): ReadBack {
  const reads = catalogReads(redis, keys);
  const epoch = connectionEpoch(redis, keys.barrier);

  const master =
    replicated && !(redis instanceof Cluster) ? createMasterCheck(redis, keys.probe('master')) : undefined;

  const readPage = async (ids: readonly string[]): Promise<FoundRecord[]> => {
    const insistOnMaster = await master?.();
    // Sent together on one connection: one round trip.
    const [, found] = await Promise.all([insistOnMaster?.(), reads.findWithGaps(ids)]);
    return found;
  };
  return { read: createBatch(readPage), readPage, epoch, lagMs: profileOfClient(redis).readsLagMs };
}
