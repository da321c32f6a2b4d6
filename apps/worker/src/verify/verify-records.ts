import { Cluster } from 'ioredis';
import { isBelow, type DurabilityLevel, type Settings } from '@holdfast/foundation/config';
import {
  createCatalog,
  encodeContent,
  type Catalog,
  type FoundRecord,
  type StoredRecord,
  type VerifiedOutcome,
} from '@holdfast/shared/catalog';
import type { Barrier } from '@holdfast/shared/durability';
import { failpoint } from '@holdfast/shared/failpoint';
import { isOwnId, type MediaRecord } from '@holdfast/shared/media';
import {
  connectionEpoch,
  fromRedisError,
  profileOfClient,
  readSettled,
  reconnectRedis,
  redisErrorKind,
  type RedisClient,
  type RedisKeys,
} from '@holdfast/shared/redis';

/**
 * Reads records over a connection that wrote none of them. With replicas it must be the master that answers: a demoted one
 * still serves reads of what the others have dropped, but refuses a write, on every server. A Cluster client asks masters only.
 */
export function createReadBack(redis: RedisClient, keys: RedisKeys, replicated: boolean) {
  const { findWithGaps } = createCatalog(redis, keys);
  const insistOnMaster = async (): Promise<void> => {
    try {
      await redis.set(keys.probe('master'), '1', 'EX', 60);
    } catch (error) {
      if (redisErrorKind(error) === 'demoted') reconnectRedis(redis);
      throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
    }
  };
  return {
    /** In the order of the ids. */
    read: async (ids: readonly string[]): Promise<FoundRecord[]> => {
      // Sent together on one connection: one round trip.
      const master = replicated && !(redis instanceof Cluster) ? insistOnMaster() : undefined;
      const [found] = await Promise.all([findWithGaps(ids), master]);
      return found;
    },
    /** Grows with each new connection: what was read before counts no more. */
    epoch: connectionEpoch(redis, keys.barrier),
    /** What differs is read again for so long before anything is concluded: a replica that is behind may have answered. */
    lagMs: profileOfClient(redis).readsLagMs,
  };
}

export type ReadBack = ReturnType<typeof createReadBack>;

/** A record as it should be found. */
export interface ExpectedRecord extends Pick<MediaRecord, 'id' | 'revision'> {
  content: string;
  /** Of its verification so far, this one included; 1 by default. */
  attempts?: number;
}

export function expectedRecord(record: MediaRecord, content = encodeContent(record)): ExpectedRecord {
  return { id: record.id, revision: record.revision, content };
}

/**
 * same: every field and every index entry is there. missing: as same, but the host has lost the asset: a sweep or a notification that
 * came in between has the last word. superseded: a newer revision, a deletion, or what was verified in the same revision has taken its
 * place, and has a verification of its own. The rest is to be repaired: absent, other content, or index entries missing.
 */
export type Verdict = 'same' | 'missing' | 'superseded' | 'absent' | 'different' | 'unindexed';

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
  if (gaps > 0) return 'unindexed';
  return stored.status === 'missing' ? 'missing' : 'same';
}

export interface ProofParts {
  /** Over another connection than `catalog`. */
  readBack: ReadBack;
  barrier: Pick<Barrier, 'confirm' | 'epoch'>;
  /** Resolves once it is known whether this server's confirmations may be believed. */
  server: { judged: () => Promise<void> };
  catalog: Pick<Catalog, 'markVerified' | 'reindex'>;
  settings: Pick<Settings, 'durability'>;
}

/** What came of one record. */
export interface Proof {
  /**
   * Beyond what was read back, and what became of it since: `too_low`: the server confirms less than is required; `unconfirmed`: a
   * connection was lost in between, and a server that was restarted or replaced confirms what it does not have.
   */
  outcome: Exclude<Verdict, 'same'> | VerifiedOutcome | 'too_low' | 'unconfirmed';
  stored: StoredRecord | null;
  /** What the server confirmed, where it was asked. */
  level?: DurabilityLevel | undefined;
}

/**
 * Proves that records are there: reads them back over another connection, compares every field and index entry, has the server
 * confirm by one barrier that they are on disk, and only then marks them verified, where they still have the content that was
 * read back.
 */
export async function proveRecords(
  records: readonly ExpectedRecord[],
  { readBack, barrier, server, catalog, settings }: ProofParts,
): Promise<Proof[]> {
  const epochs = [readBack.epoch(), barrier.epoch()];
  const judged = await readAll(records, readBack);
  const same = records.filter((_, index) => judged[index]?.verdict === 'same');
  let level: DurabilityLevel | undefined;
  const outcomes: Proof['outcome'][] = [];
  if (same.length > 0) {
    failpoint('verify.read-back');
    await server.judged();
    level = await barrier.confirm();
    failpoint('verify.confirmed');
    if (readBack.epoch() !== epochs[0] || barrier.epoch() !== epochs[1])
      outcomes.push(...same.map(() => 'unconfirmed' as const));
    else if (isBelow(level, settings.durability.required))
      outcomes.push(...same.map(() => 'too_low' as const));
    else {
      const entries = same.map((record) => ({ attempts: 1, ...record }));
      outcomes.push(...(await catalog.markVerified(level, new Date(), entries)));
    }
    failpoint('verify.marked');
  }
  return judged.map(({ stored, verdict }): Proof => {
    if (verdict !== 'same') return { stored, outcome: verdict };
    return { stored, level, outcome: outcomes.shift() ?? 'unconfirmed' };
  });
}

type JudgedRecord = Pick<FoundRecord, 'stored'> & { verdict: Verdict };

/** Reads those alone again that may be on their way to the server that answered. */
async function readAll(records: readonly ExpectedRecord[], readBack: ReadBack): Promise<JudgedRecord[]> {
  const judged: JudgedRecord[] = records.map(() => ({ stored: null, verdict: 'absent' }));
  let open = [...records.entries()];
  await readSettled(
    readBack.lagMs,
    async () => {
      const found = await readBack.read(open.map(([, { id }]) => id));
      for (const [at, [index, record]] of open.entries()) {
        const read = found[at] ?? { stored: null, gaps: 1 };
        judged[index] = { stored: read.stored, verdict: judgeRecord(record, read) };
      }
      open = open.filter(([index]) => judged[index]?.verdict !== 'same');
    },
    () => open.length === 0,
  );
  return judged;
}

/** How often a page is looked at before a run leaves what is not proven to a later one. */
const LOOKS = 3;
const settled: ReadonlySet<Proof['outcome']> = new Set(['verified', 'superseded', 'tombstoned', 'missing']);

/** Proves the records of a page. Answers how many could not be verified: they stay `saving`, and a later run takes them up again. */
export async function verifyRecords(records: readonly ExpectedRecord[], parts: ProofParts): Promise<number> {
  let open = records;
  for (let left = LOOKS; left > 0 && open.length > 0; left -= 1) {
    const proofs = await proveRecords(open, parts);
    const unindexed = open.filter((_, index) => proofs[index]?.outcome === 'unindexed');
    if (unindexed.length > 0) await parts.catalog.reindex(unindexed.map(({ id }) => id));
    open = open.filter((_, index) => !settled.has(proofs[index]?.outcome ?? 'absent'));
  }
  return open.length;
}
