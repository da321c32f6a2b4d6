import type { Catalog } from '@holdfast/shared/catalog';
import { readHostMetadata, recordFromAsset, withKnown, type MediaRecord } from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';

export interface NewerDependencies {
  catalog: Pick<Catalog, 'save'>;
  host: Pick<MediaHost, 'find'>;
  folder: string;
}

/**
 * Brings the host's revision of a media into the catalog where it is the newer one: Redis has lost what was acknowledged, and
 * the sync that brings it back has not come to this media yet. False where that cannot be told from the asset under its
 * name. Rejects when the host or the catalog cannot be reached.
 */
export async function takeInNewer(
  { catalog, host, folder }: NewerDependencies,
  known: MediaRecord,
  signal: AbortSignal,
): Promise<boolean> {
  const { id, publicId, resourceType, source, revision } = known;
  const asset = await host.find({ publicId, resourceType }, signal);
  const carried = asset === null ? null : readHostMetadata(asset);
  if (asset === null || carried?.mark.state !== 'committed') return false;
  const newer = recordFromAsset(withKnown(asset, known), folder, source, carried);
  if (newer.id !== id || newer.revision <= revision) return false;
  await catalog.save(newer);
  return true;
}
