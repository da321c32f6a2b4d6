import type { Catalog } from '@holdfast/shared/catalog';
import type { MediaHost } from '@holdfast/shared/media-host';
import type { JobHandler } from '../job-handler.js';

export interface RemoveDependencies {
  catalog: Pick<Catalog, 'find' | 'isTombstoned' | 'finishDelete'>;
  host: Pick<MediaHost, 'find' | 'remove'>;
}

/** Removes a deleted media from the host, then its record. Only what has a tombstone, and only the asset that was deleted. */
export function createRemoveMedia({ catalog, host }: RemoveDependencies): JobHandler<'remove'> {
  return async ({ id, publicId, resourceType }, { signal, log }) => {
    if (!(await catalog.isTombstoned(id))) {
      log.warn('remove.no_tombstone', { id });
      return;
    }
    const ref = { publicId, resourceType };
    const record = await catalog.find(id);
    const asset = await host.find(ref, signal);
    // The name may belong to another asset by now, which nobody has deleted.
    const another = asset !== null && record !== null && asset.assetId !== record.assetId;
    if (another) log.info('remove.name_reused', { id, publicId });
    else if (asset !== null) await host.remove(ref, signal);
    await catalog.finishDelete(id);
  };
}
