import type { Catalog, SaveOutcome } from '@holdfast/shared/catalog';
import { failpoint } from '@holdfast/shared/failpoint';
import { createBatch } from '@holdfast/shared/batch';
import type { JobHandler } from '../job-run/job-handler.js';
import { isOfDeletedMedia, type LateJobDependencies } from './late-job.js';

/** Outcomes that leave something for people to read; all of them are the end of the job. */
const worthAWord: Partial<Record<SaveOutcome, string>> = {
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
    const event = worthAWord[await save({ record })];
    failpoint('save.written');
    if (event !== undefined) log.info(event, { id: record.id, revision: record.revision });
  };
}
