import type { Catalog } from '@holdfast/shared/catalog';
import { HoldfastError } from '@holdfast/shared/errors';
import { isMediaId, type MediaRecord } from '@holdfast/shared/media';
import type { Rebuilding } from './rebuilding.js';

export interface FindDependencies {
  catalog: Pick<Catalog, 'find' | 'isTombstoned'>;
  /** Uploads acknowledged while Redis was away, held in memory. */
  deferred: { find(id: string): MediaRecord | null };
  rebuilding: Rebuilding;
}

/** The record, or MEDIA_NOT_FOUND, or CATALOG_REBUILDING while it may yet come back. Throws CATALOG_UNAVAILABLE. */
export async function findMedia(
  { catalog, deferred, rebuilding }: FindDependencies,
  id: string,
): Promise<MediaRecord> {
  if (!isMediaId(id)) throw new HoldfastError('MEDIA_NOT_FOUND');
  const held = deferred.find(id);
  if (held !== null) return held;
  const record = await catalog.find(id);
  if (record !== null) {
    rebuilding.noteFound();
    return record;
  }
  // What was deleted here does not come back, whatever else may.
  if ((await rebuilding.isOn()) && !(await catalog.isTombstoned(id)))
    throw new HoldfastError('CATALOG_REBUILDING', 'the media may not be in the catalog yet');
  throw new HoldfastError('MEDIA_NOT_FOUND');
}
