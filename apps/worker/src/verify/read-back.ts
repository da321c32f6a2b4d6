import { Cluster } from 'ioredis';
import { createBatch } from '@holdfast/shared/batch';
import { catalogReads, encodeContent, type ContentOf, type FoundRecord } from '@holdfast/shared/catalog';
import type { Barrier } from '@holdfast/shared/durability';
import { isOwnId, type MediaRecord } from '@holdfast/shared/media';
import {
  connectionEpoch,
  fromRedisError,
  profileOfClient,
  reconnectRedis,
  redisErrorKind,
  type RedisClient,
  type RedisKeys,
} from '@holdfast/shared/redis';

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
 * Reads records over a connection that wrote none of them. With replicas it must be the master that answers: a demoted one
 * still serves reads of what the others have dropped, but refuses a write, on every server. A Cluster client asks masters only.
 */
export function createReadBack(redis: RedisClient, keys: RedisKeys, replicated: boolean): ReadBack {
  const reads = catalogReads(redis, keys);
  const epoch = connectionEpoch(redis, keys.barrier);

  const insistOnMaster = async (): Promise<void> => {
    if (!replicated || redis instanceof Cluster) return;
    try {
      await redis.set(keys.probe('master'), '1', 'EX', 60);
    } catch (error) {
      if (redisErrorKind(error) === 'demoted') reconnectRedis(redis);
      throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
    }
  };
  const readPage = async (ids: readonly string[]): Promise<FoundRecord[]> => {
    // Sent together on one connection: one round trip.
    const [, found] = await Promise.all([insistOnMaster(), reads.findWithGaps(ids)]);
    return found;
  };
  return { read: createBatch(readPage), readPage, epoch, lagMs: profileOfClient(redis).readsLagMs };
}

/** How often a connection may be lost between read-back and barrier before a proof is given up. */
export const PROOF_TRIES = 3;

/**
 * Call it before the read-back, and what it answers after the barrier: true where both connections lasted. A server that was
 * restarted or replaced in between confirms what it does not have: look again.
 */
export function trackConnections(
  readBack: Pick<ReadBack, 'epoch'>,
  barrier: Pick<Barrier, 'epoch'>,
): () => boolean {
  const before = [readBack.epoch(), barrier.epoch()];
  return () => readBack.epoch() === before[0] && barrier.epoch() === before[1];
}

/**
 * same: every field and every index entry is there. superseded: a newer revision, a deletion, or what was verified in the
 * same revision has taken its place, and has a verification of its own. The rest is to be repaired: absent, other content, or
 * lacking index entries.
 */
export type Verdict = 'same' | 'superseded' | 'absent' | 'different' | 'unindexed';

/** A record as it should be found. */
export type ExpectedRecord = ContentOf & Pick<MediaRecord, 'revision'>;

export function expectedRecord(record: MediaRecord, content = encodeContent(record)): ExpectedRecord {
  return { id: record.id, revision: record.revision, content };
}

/** Compares as text what both sides encode to, so that no field can be forgotten. */
export function judgeRecord(expected: MediaRecord, found: FoundRecord): Verdict {
  return judgeContent(expectedRecord(expected), found);
}

/** The same, where what the record encodes to is known already. */
export function judgeContent(expected: ExpectedRecord, { stored, gaps }: FoundRecord): Verdict {
  if (stored === null) return 'absent';
  if (stored.status === 'deleting') return 'superseded';
  if (stored.content !== expected.content) {
    const { revision } = stored.record;
    if (revision > expected.revision) return 'superseded';
    // A record follows the host without a new revision: that of an asset that others own in everything, ours to its place. And
    // what was proven since must not be replaced.
    const mayFollow = !isOwnId(expected.id) || stored.status === 'verified';
    return revision === expected.revision && mayFollow ? 'superseded' : 'different';
  }
  return gaps === 0 ? 'same' : 'unindexed';
}
