import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { untilAborted } from '@holdfast/foundation/lifecycle';
import { createBatch } from '@holdfast/shared/batch';
import type { SaveOutcome } from '@holdfast/shared/catalog';
import { failpoint } from '@holdfast/shared/failpoint';
import type { MediaRecord } from '@holdfast/shared/media';
import type { Dependencies } from './dependencies.js';
import type { JobHandler } from './run-job.js';
import {
  expectedRecord,
  proveRecords,
  type ExpectedRecord,
  type Proof,
  type ProofParts,
} from './verify/verify-records.js';

/** Outcomes that are logged; all of them are the end of the job. */
const loggedOutcomes: Partial<Record<SaveOutcome, string>> = {
  stale: 'save.newer_revision_kept',
  differs: 'save.same_revision_differs',
  tombstoned: 'save.deleted_meanwhile',
};

/** Writes the record into the catalog, where its revision allows it. Saves that wait together go in one step. */
export function createSaveMedia(deps: Pick<Dependencies, 'catalog' | 'host'>): JobHandler<'save'> {
  const save = createBatch((records: MediaRecord[]) =>
    deps.catalog.saveMany(
      records.map((record) => ({ record })),
      null,
    ),
  );
  return async ({ record }, context) => {
    failpoint('save.begun');
    if (await isOfDeletedMedia(record, deps, context.signal)) {
      context.log.info('save.media_gone', { id: record.id });
      return;
    }
    const event = loggedOutcomes[await save(record)];
    failpoint('save.written');
    if (event !== undefined) context.log.info(event, { id: record.id, revision: record.revision });
  };
}

/**
 * Calls the record of an upload verified once it is proven. What differs is repaired, and the attempt fails. Jobs that wait
 * together are proven together.
 */
export function createVerifyMedia(
  deps: ProofParts & Pick<Dependencies, 'catalog' | 'host'> & { afterUpload: (record: MediaRecord) => void },
): JobHandler<'verify'> {
  const prove = createBatch((records: ExpectedRecord[]) => proveRecords(records, deps));
  return async ({ record }, context) => {
    const { attempt, signal } = context;
    failpoint('verify.begun');
    const proof = await untilAborted(prove({ ...expectedRecord(record), attempts: attempt }), signal);
    const { outcome, level } = proof;
    switch (outcome) {
      case 'verified':
        deps.afterUpload(record);
        return;
      case 'superseded':
      case 'tombstoned':
      case 'missing':
        context.log.info('verify.overtaken', { id: record.id, revision: record.revision, outcome });
        return;
      case 'too_low': {
        const { required } = deps.settings.durability;
        const detail = `the server confirmed ${String(level)}, required is ${String(required)}`;
        throw new HoldfastError('DURABILITY_TOO_LOW', detail);
      }
      case 'unconfirmed':
        throw new HoldfastError('CATALOG_UNAVAILABLE', 'the connection was lost before the barrier');
      case 'absent':
      case 'different':
      case 'unindexed':
        await repair(record, proof, deps, signal);
    }
  };
}

/** Saves again what was not there as it should be. The attempt fails all the same: the next one must find it. */
async function repair(
  record: MediaRecord,
  { outcome, stored }: Proof,
  deps: Pick<Dependencies, 'catalog' | 'host'>,
  signal: AbortSignal,
): Promise<void> {
  const { catalog } = deps;
  if (await isOfDeletedMedia(record, deps, signal)) return;
  if (outcome === 'unindexed') await catalog.reindex([record.id]);
  else {
    const saved = await catalog.save(record);
    if (saved === 'tombstoned' || saved === 'stale') return;
    // One revision has one content, so what was read back under ours was damaged.
    if (saved === 'differs' && stored !== null) await catalog.saveIf(record, stored);
  }
  throw new HoldfastError('RECORD_DIFFERS', `the record read back was ${outcome}; it was saved again`);
}

/** Less than any tombstone lasts. */
const LATE_MS = 24 * 3_600_000;

/**
 * An operator may retry a job of an upload long after. By then its file may be deleted and its tombstone gone. A file that
 * has neither a record nor an asset under its name stays deleted. Asks nothing about files of the last day.
 */
async function isOfDeletedMedia(
  record: MediaRecord,
  { catalog, host }: Pick<Dependencies, 'catalog' | 'host'>,
  signal: AbortSignal,
): Promise<boolean> {
  if (Date.now() - Date.parse(record.createdAt) < LATE_MS) return false;
  if ((await catalog.find(record.id)) !== null) return false;
  try {
    return (await host.find(record, signal)) === null;
  } catch (error) {
    if (isHoldfastError(error, 'ASSET_UNREADABLE')) return false;
    throw error;
  }
}
