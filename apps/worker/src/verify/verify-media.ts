import { createBatch } from '@holdfast/shared/batch';
import type { Catalog, FoundRecord, VerifiedEntry, VerifiedOutcome } from '@holdfast/shared/catalog';
import { durabilityLevels, isBelow, type DurabilityLevel } from '@holdfast/foundation/config';
import type { Barrier } from '@holdfast/shared/durability';
import { HoldfastError } from '@holdfast/foundation/errors';
import { failpoint } from '@holdfast/shared/failpoint';
import { untilAborted } from '@holdfast/foundation/lifecycle';
import type { MediaRecord } from '@holdfast/shared/media';
import { readSettled } from '@holdfast/shared/redis';
import type { JobHandler } from '../job-run/run-job.js';
import { isOfDeletedMedia, type LateJobDependencies } from '../save/save-media.js';
import { judgeRecord, PROOF_TRIES, trackConnections, type ReadBack, type Verdict } from './read-back.js';

export interface VerifyDependencies extends LateJobDependencies {
  catalog: LateJobDependencies['catalog'] &
    Pick<Catalog, 'markVerified' | 'saveIf' | 'save' | 'reindex' | 'isTombstoned'>;
  readBack: Pick<ReadBack, 'read' | 'epoch' | 'lagMs'>;
  barrier: Pick<Barrier, 'confirm' | 'epoch'>;
  /** Resolves once it is known whether this server's confirmations may be believed. */
  serverJudged: () => Promise<void>;
  /** A record is verified only at this level or above. */
  required: DurabilityLevel | undefined;
  afterUpload: (record: MediaRecord) => void;
}

/**
 * Proves that the record is there: reads it back over another connection, compares every field and index entry, has
 * the server confirm that it is on disk, and only then calls it verified. What differs is repaired, and the attempt fails.
 */
export function createVerifyMedia(deps: VerifyDependencies): JobHandler<'verify'> {
  const markVerified = Object.fromEntries(
    durabilityLevels.map((confirmed) => [
      confirmed,
      createBatch((entries: VerifiedEntry[]) => deps.catalog.markVerified(confirmed, new Date(), entries)),
    ]),
  ) as Record<DurabilityLevel, (entry: VerifiedEntry) => Promise<VerifiedOutcome>>;
  return async ({ record }, { attempt, log, signal }) => {
    failpoint('verify.begun');
    const level = await proveSaved(record, deps, signal);
    if (level === 'superseded') return;
    failpoint('verify.confirmed');
    if (isBelow(level, deps.required)) {
      throw new HoldfastError(
        'DURABILITY_TOO_LOW',
        `the server confirmed ${level}, required is ${String(deps.required)}`,
      );
    }
    const outcome = await markVerified[level]({
      id: record.id,
      revision: record.revision,
      attempts: attempt,
    });
    failpoint('verify.marked');
    if (outcome === 'absent')
      throw new HoldfastError('RECORD_DIFFERS', 'the record disappeared during its verification');
    if (outcome !== 'verified') {
      log.info('verify.overtaken', { id: record.id, revision: record.revision, outcome });
      return;
    }
    deps.afterUpload(record);
  };
}

/** The level that the server confirmed for the record as it was read back. */
async function proveSaved(
  record: MediaRecord,
  deps: VerifyDependencies,
  signal: AbortSignal,
): Promise<DurabilityLevel | 'superseded'> {
  const { readBack, barrier, serverJudged } = deps;
  for (let left = PROOF_TRIES; left > 0; left -= 1) {
    const haveLasted = trackConnections(readBack, barrier);
    const { found, verdict } = await readSettled(
      readBack.lagMs,
      () => untilAborted(look(record, deps), signal),
      (read) => read.isSettled,
    );
    if (verdict === 'superseded') return verdict;
    if (verdict !== 'same') return repair(record, found, verdict, deps, signal);
    failpoint('verify.read-back');
    await untilAborted(serverJudged(), signal);
    const level = await untilAborted(barrier.confirm(), signal);
    if (haveLasted()) return level;
  }
  throw new HoldfastError(
    'CATALOG_UNAVAILABLE',
    'the connection did not last from the read-back to the barrier',
  );
}

interface Look {
  found: FoundRecord;
  verdict: Verdict;
  /** A later look cannot show anything else. */
  isSettled: boolean;
}

/**
 * What is newer, or deleted, no replica shows too early, and it is not waited for: Redis may be emptied meanwhile, and with the
 * tombstone gone the record of a deleted media would be saved again.
 */
async function look(record: MediaRecord, { readBack, catalog }: VerifyDependencies): Promise<Look> {
  const found = await readBack.read(record.id);
  const verdict = judgeRecord(record, found);
  if (verdict === 'absent' && readBack.lagMs > 0 && (await catalog.isTombstoned(record.id)))
    return { found, verdict: 'superseded', isSettled: true };
  const { stored } = found;
  const isNewer =
    stored !== null && (stored.status === 'deleting' || stored.record.revision > record.revision);
  return { found, verdict, isSettled: verdict === 'same' || isNewer };
}

/** Saves again what was not there as it should be. The attempt fails all the same: the next one must find it. */
async function repair(
  record: MediaRecord,
  { stored }: FoundRecord,
  verdict: Exclude<Verdict, 'same' | 'superseded'>,
  deps: VerifyDependencies,
  signal: AbortSignal,
): Promise<'superseded'> {
  const { catalog } = deps;
  if (await isOfDeletedMedia(record, deps, signal)) return 'superseded';
  if (verdict === 'unindexed') await catalog.reindex([record.id]);
  else {
    const outcome = await catalog.save(record);
    if (outcome === 'tombstoned' || outcome === 'stale') return 'superseded';
    // One revision has one content, so what was read back under ours was damaged.
    if (outcome === 'differs' && stored !== null) await catalog.saveIf(record, stored);
  }
  throw new HoldfastError('RECORD_DIFFERS', `the record read back was ${verdict}; it was saved again`);
}
