import type { Catalog } from '../catalog/index.js';

/**
 * Takes the record of a deletion that the host has confirmed out of the catalog. Where Redis was emptied since the tombstone
 * was put, the record may have come back meanwhile, from a snapshot or a listing that still had it: it is deleted all the
 * same. `assetId` as in finishDelete.
 */
export async function finishRemoval(
  catalog: Pick<Catalog, 'beginDelete' | 'finishDelete'>,
  id: string,
  assetId: string | null,
): Promise<void> {
  if ((await catalog.finishDelete(id, assetId)) !== 'kept') return;
  await catalog.beginDelete(id);
  await catalog.finishDelete(id, assetId);
}
