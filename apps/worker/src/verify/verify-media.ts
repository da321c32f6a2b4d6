import { HoldfastError } from '@holdfast/foundation/errors';
import { untilAborted } from '@holdfast/foundation/lifecycle';
import { createBatch } from '@holdfast/shared/batch';
import type { Catalog } from '@holdfast/shared/catalog';
import { failpoint } from '@holdfast/shared/failpoint';
import type { MediaRecord } from '@holdfast/shared/media';
import type { JobHandler } from '../job-run/run-job.js';
import { isOfDeletedMedia, type LateJobDependencies } from '../save/save-media.js';
import { expectedRecord, type ExpectedRecord } from './read-back.js';
import { proveRecords, type Proof, type ProofParts } from './verify-records.js';

export interface VerifyDependencies extends LateJobDependencies, ProofParts {
  catalog: LateJobDependencies['catalog'] &
    ProofParts['catalog'] &
    Pick<Catalog, 'saveIf' | 'save' | 'reindex'>;
  afterUpload: (record: MediaRecord) => void;
}

/**
 * Calls the record of an upload verified once it is proven. What differs is repaired, and the attempt fails. Jobs that wait
 * together are proven together.
 */
export function createVerifyMedia(deps: VerifyDependencies): JobHandler<'verify'> {
  const prove = createBatch((records: ExpectedRecord[]) => proveRecords(records, deps));
  return async ({ record }, { attempt, log, signal }) => {
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
        log.info('verify.overtaken', { id: record.id, revision: record.revision, outcome });
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
  deps: VerifyDependencies,
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
