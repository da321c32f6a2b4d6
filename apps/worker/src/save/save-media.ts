import { createBatch } from '@holdfast/shared/batch';
import type { Catalog, SaveOutcome } from '@holdfast/shared/catalog';
import { isHoldfastError } from '@holdfast/foundation/errors';
import { failpoint } from '@holdfast/shared/failpoint';
import type { MediaRecord } from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';
import type { JobHandler } from '../job-run/run-job.js';

/** Outcomes that are logged; all of them are the end of the job. */
const loggedOutcomes: Partial<Record<SaveOutcome, string>> = {
  stale: 'save.newer_revision_kept',
  differs: 'save.same_revision_differs',
  tombstoned: 'save.deleted_meanwhile',
};

export interface SaveDependencies extends LateJobDependencies {
  catalog: LateJobDependencies['catalog'] & Pick<Catalog, 'saveMany'>;
}

/** Writes the record into the catalog, where its revision allows it. Saves that wait together go in one step. */
export function createSaveMedia(deps: SaveDependencies): JobHandler<'save'> {
  const { catalog } = deps;
  const save = createBatch((records: Parameters<typeof catalog.saveMany>[0][number][]) =>
    catalog.saveMany(records, null),
  );
  return async ({ record }, { log, signal }) => {
    failpoint('save.begun');
    if (await isOfDeletedMedia(record, deps, signal)) {
      log.info('save.media_gone', { id: record.id });
      return;
    }
    const event = loggedOutcomes[await save({ record })];
    failpoint('save.written');
    if (event !== undefined) log.info(event, { id: record.id, revision: record.revision });
  };
}

/** Less than any tombstone lasts. */
const LATE_MS = 24 * 3_600_000;

export interface LateJobDependencies {
  catalog: Pick<Catalog, 'find'>;
  host: Pick<MediaHost, 'find'>;
}

/**
 * An operator may retry a job of an upload long after. By then its file may be deleted and its tombstone gone. A file that
 * has neither a record nor an asset under its name stays deleted. Asks nothing about files of the last day.
 */
export async function isOfDeletedMedia(
  { id, publicId, resourceType, createdAt }: MediaRecord,
  { catalog, host }: LateJobDependencies,
  signal: AbortSignal,
): Promise<boolean> {
  if (Date.now() - Date.parse(createdAt) < LATE_MS) return false;
  if ((await catalog.find(id)) !== null) return false;
  try {
    return (await host.find({ publicId, resourceType }, signal)) === null;
  } catch (error) {
    if (isHoldfastError(error, 'ASSET_UNREADABLE')) return false;
    throw error;
  }
}
