import type { Catalog } from '@holdfast/shared/catalog';
import { HoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import type { Intents } from '@holdfast/shared/intents';
import { isMediaId, type MediaRecord } from '@holdfast/shared/media';
import type { Rebuilding } from './rebuilding.js';

export interface FindDependencies {
  catalog: Pick<Catalog, 'find' | 'isTombstoned'>;
  /** Uploads acknowledged while Redis was away, held in memory. */
  deferred: { find(id: string): MediaRecord | null };
  /** Uploads in progress, and those that another API holds in memory. */
  intents: Pick<Intents, 'findUnderWay'>;
  rebuilding: Rebuilding;
}

/**
 * The record. Throws MEDIA_NOT_FOUND, CATALOG_REBUILDING while the record may still come back, or CATALOG_UNAVAILABLE, also
 * if another API may hold the upload as deferred.
 */
export async function findMedia(
  { catalog, deferred, intents, rebuilding }: FindDependencies,
  id: string,
): Promise<MediaRecord> {
  if (!isMediaId(id)) throw new HoldfastError('MEDIA_NOT_FOUND');
  const held = deferred.find(id);
  // Another API or a sweep may have added it to the catalog, and edits may have followed.
  if (held !== null) return (await catalog.find(id).catch(() => null)) ?? held;
  const record = await catalog.find(id);
  if (record !== null) return record;
  let code: ErrorCode | null = null;
  if (await rebuilding.isOn()) code = 'CATALOG_REBUILDING';
  else if ((await intents.findUnderWay([id]).catch(() => new Set([id]))).has(id))
    code = 'CATALOG_UNAVAILABLE';
  // What was deleted here never comes back.
  if (code !== null && !(await catalog.isTombstoned(id)))
    throw new HoldfastError(code, 'the record may not be in the catalog yet');
  throw new HoldfastError('MEDIA_NOT_FOUND');
}
