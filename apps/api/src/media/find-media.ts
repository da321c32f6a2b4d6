import type { Catalog } from '@holdfast/shared/catalog';
import { HoldfastError } from '@holdfast/shared/errors';
import type { Intents } from '@holdfast/shared/intents';
import { isMediaId, type MediaRecord } from '@holdfast/shared/media';
import type { Rebuilding } from './rebuilding.js';

export interface FindDependencies {
  catalog: Pick<Catalog, 'find' | 'isTombstoned'>;
  /** Uploads acknowledged while Redis was away, held in memory. */
  deferred: { find(id: string): MediaRecord | null };
  /** Uploads under way, and those that another API holds in its memory. */
  intents: Pick<Intents, 'findUnderWay'>;
  rebuilding: Rebuilding;
}

/**
 * The record, or MEDIA_NOT_FOUND, or CATALOG_REBUILDING while it may yet come back. Throws CATALOG_UNAVAILABLE, also where another API
 * may have deferred the upload.
 */
export async function findMedia(
  { catalog, deferred, intents, rebuilding }: FindDependencies,
  id: string,
): Promise<MediaRecord> {
  if (!isMediaId(id)) throw new HoldfastError('MEDIA_NOT_FOUND');
  const held = deferred.find(id);
  // Another API, or a sweep, may have brought it into the catalog, and edits may have followed.
  if (held !== null) return (await catalog.find(id).catch(() => null)) ?? held;
  const record = await catalog.find(id);
  if (record !== null) {
    rebuilding.noteFound();
    return record;
  }
  const isUnderWay = async (): Promise<boolean> =>
    (await intents.findUnderWay([id]).catch(() => new Set([id]))).has(id);
  const code = (await rebuilding.isOn())
    ? 'CATALOG_REBUILDING'
    : (await isUnderWay())
      ? 'CATALOG_UNAVAILABLE'
      : null;
  // What was deleted here does not come back, whatever else may.
  if (code !== null && !(await catalog.isTombstoned(id)))
    throw new HoldfastError(code, 'the media may not be in the catalog yet');
  throw new HoldfastError('MEDIA_NOT_FOUND');
}
