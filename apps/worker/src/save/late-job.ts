import type { Catalog } from '@holdfast/shared/catalog';
import { isHoldfastError } from '@holdfast/shared/errors';
import type { MediaRecord } from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';

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
