import { Cluster, type Redis } from 'ioredis';
import { createBatch } from '@holdfast/shared/batch';
import { catalogReads, encodeContent, type ContentOf, type FoundRecord } from '@holdfast/shared/catalog';
import type { Barrier } from '@holdfast/shared/durability';
import { HoldfastError } from '@holdfast/foundation/errors';
import { isOwnId, type MediaRecord } from '@holdfast/shared/media';
import {
  connectionEpoch,
  fromRedisError,
  profileOfClient,
  reconnectRedis,
  redisErrorKind,
  redisRefusal,
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

/** Whether a master answers; null where this server does not let us see it in this way. */
type Way = (redis: Redis, key: string) => Promise<boolean | null>;

/** The cheapest first. A demoted master refuses writes, so the last one tells it on every server. */
const ways: readonly Way[] = [
  async (redis) => ((await redis.call('ROLE')) as unknown[])[0] === 'master',
  async (redis) => {
    const role = /^role:(\w+)/m.exec(String(await redis.call('INFO', 'replication')))?.[1];
    return role === undefined ? null : role === 'master';
  },
  async (redis, key) => {
    await redis.set(key, '1', 'EX', 60);
    return true;
  },
];

/**
 * Finds out how this server tells that it is a master, and resolves with the question. Ask it in one go with the reads that it is for:
 * it throws CATALOG_UNAVAILABLE where another than a master answers, and where Redis does not serve.
 */
function createMasterCheck(redis: Redis, key: string): () => Promise<() => Promise<void>> {
  let known: Way | undefined;
  const ask = async (way: Way): Promise<boolean | null> => {
    try {
      return await way(redis, key);
    } catch (error) {
      if (isHidden(error)) return null;
      if (redisErrorKind(error) === 'demoted') return false;
      throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
    }
  };
  const find = async (): Promise<Way> => {
    for (const way of ways) if ((await ask(way)) !== null) return way;
    throw new HoldfastError('CATALOG_UNAVAILABLE', 'the server does not tell whether it is the master');
  };
  return async () => {
    const way = (known ??= await find());
    return async () => {
      const isMaster = await ask(way);
      if (isMaster === true) return;
      if (isMaster === false) reconnectRedis(redis);
      known = undefined;
      throw new HoldfastError('CATALOG_UNAVAILABLE', 'the server that answers is not the master');
    };
  };
}

function isHidden(error: unknown): boolean {
  const refusal = redisRefusal(error);
  if (refusal === 'command' || refusal === 'unknown') return true;
  return error instanceof Error && error.message.startsWith('NOPERM');
}
