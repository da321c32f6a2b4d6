import type { Catalog } from '@holdfast/shared/catalog';
import { removeRecord, type RemovalDependencies } from '@holdfast/shared/removal';
import type { JobHandler } from '../job-run/run-job.js';

export interface RemoveDependencies extends RemovalDependencies {
  catalog: RemovalDependencies['catalog'] & Pick<Catalog, 'find' | 'isTombstoned'>;
}

/** Removes a deleted file from the host, then its record. Only what has a tombstone, and only the asset that was deleted. */
export function createRemoveMedia({
  catalog,
  host,
  deletionNotes,
}: RemoveDependencies): JobHandler<'remove'> {
  return async ({ id, publicId, resourceType }, { signal, log }) => {
    if (!(await catalog.isTombstoned(id))) {
      log.warn('remove.no_tombstone', { id });
      return;
    }
    const record = await catalog.find(id);
    const deleted = {
      id,
      publicId,
      resourceType,
      assetId: record?.assetId ?? null,
      url: record?.url ?? null,
    };
    const outcome = await removeRecord({ catalog, host, deletionNotes }, deleted, signal);
    if (outcome === 'on another host') log.info('remove.on_another_host', { id });
    if (outcome === 'elsewhere') log.info('remove.not_under_its_name', { id, publicId });
  };
}
