import { Cluster } from 'ioredis';
import { catalogReads, encodeContent, type ContentOf, type FoundRecord } from '@holdfast/shared/catalog';
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
  /** In the order of the ids. */
  read(ids: readonly string[]): Promise<FoundRecord[]>;
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
  return {
    read: async (ids) => {
      // Sent together on one connection: one round trip.
      const [, found] = await Promise.all([insistOnMaster(), reads.findWithGaps(ids)]);
      return found;
    },
    epoch,
    lagMs: profileOfClient(redis).readsLagMs,
  };
}

/**
 * same: every field and every index entry is there. superseded: a newer revision, a deletion, or what was verified in the
 * same revision has taken its place, and has a verification of its own. The rest is to be repaired: absent, other content, or
 * lacking index entries.
 */
export type Verdict = 'same' | 'superseded' | 'absent' | 'different' | 'unindexed';

/** A record as it should be found. */
export interface ExpectedRecord extends ContentOf, Pick<MediaRecord, 'revision'> {
  /** Of its verification so far, this one included; 1 by default. */
  attempts?: number;
}

export function expectedRecord(record: MediaRecord, content = encodeContent(record)): ExpectedRecord {
  return { id: record.id, revision: record.revision, content };
}

/** Compares as text what both sides encode to, so that no field can be forgotten. */
export function judgeRecord(expected: ExpectedRecord, { stored, gaps }: FoundRecord): Verdict {
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
