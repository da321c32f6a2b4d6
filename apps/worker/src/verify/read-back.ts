import { Cluster } from 'ioredis';
import { catalogReads, type ContentOf, type StoredRecord } from '@holdfast/shared/catalog';
import { connectionEpoch, profileOfClient, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import { createBatch } from '@holdfast/shared/batch';
import { createMasterCheck } from './master-check.js';

/** What the server has of one record. */
export interface ReadBackRecord {
  stored: StoredRecord | null;
  /** Index entries that are not there. */
  gaps: number;
}

export interface ReadBack {
  read(id: string): Promise<ReadBackRecord>;
  /** A whole page of records, in the order asked for. The content expected of each tells its index entries. */
  readPage(expected: readonly ContentOf[]): Promise<ReadBackRecord[]>;
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

  const readMany = createBatch(async (ids: string[]): Promise<ReadBackRecord[]> => {
    const insistOnMaster = await master?.();
    // Sent together on one connection: one round trip.
    const [, found] = await Promise.all([insistOnMaster?.(), reads.findWithGaps(ids)]);
    return found;
  });
  const readPage = async (expected: readonly ContentOf[]): Promise<ReadBackRecord[]> => {
    const insistOnMaster = await master?.();
    const [, stored, lacking] = await Promise.all([
      insistOnMaster?.(),
      reads.findStored(expected.map(({ id }) => id)),
      reads.lackingEntries(expected),
    ]);
    return expected.map(({ id }, index) => {
      const found = stored[index] ?? null;
      return { stored: found, gaps: lacking.has(id) ? 1 : 0 };
    });
  };
  return { read: readMany, readPage, epoch, lagMs: profileOfClient(redis).readsLagMs };
}
