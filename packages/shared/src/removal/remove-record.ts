import type { Catalog } from '../catalog/index.js';
import { isHoldfastError } from '../errors/index.js';
import { idOfFoundAsset, readHostMetadata } from '../media/index.js';
import type { AssetRef, HostAsset, MediaHost } from '../media-host/index.js';
import type { DeletionNotes } from '../snapshot/index.js';
import { finishRemoval } from './finish-removal.js';

/** What `removeRecord` works with. */
export interface RemovalDependencies {
  /** `beginDelete` only for a record that came back meanwhile, see finishRemoval. */
  catalog: Pick<Catalog, 'beginDelete' | 'finishDelete'>;
  host: Pick<MediaHost, 'find' | 'remove'>;
  deletionNotes: DeletionNotes;
}

/** A media that has its tombstone. */
export interface Deleted extends AssetRef {
  id: string;
  /** Null where its record is gone already. */
  assetId: string | null;
}

/**
 * Notes the deletion on the host, takes the media off it, and then its record out of the catalog. Only the asset that was
 * deleted goes: by now its name may belong to another one, which nobody has deleted. `elsewhere`: the asset was not under
 * its name. It may have been renamed, so its asset id is noted and gets a tombstone too, and a sync that meets it removes
 * it. Rejects when the host or the catalog cannot be reached; may be repeated.
 */
export async function removeRecord(
  { catalog, host, deletionNotes }: RemovalDependencies,
  deleted: Deleted,
  signal: AbortSignal,
): Promise<'removed' | 'elsewhere'> {
  const { id, assetId, publicId, resourceType } = deleted;
  const ref = { publicId, resourceType };
  const isThere = await isOnHost(host, ref, deleted, signal);
  await deletionNotes.add(id, signal);
  if (isThere) await host.remove(ref, signal);
  else if (assetId !== null) await deletionNotes.add(idOfFoundAsset(assetId), signal);
  await finishRemoval(catalog, id, isThere ? null : assetId);
  return isThere ? 'removed' : 'elsewhere';
}

/** A damaged description says nothing: the asset under this name is the one that was deleted. */
async function isOnHost(
  host: Pick<MediaHost, 'find'>,
  ref: AssetRef,
  deleted: Deleted,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const asset = await host.find(ref, signal);
    return asset !== null && isOf(asset, deleted);
  } catch (error) {
    if (isHoldfastError(error, 'ASSET_UNREADABLE')) return true;
    throw error;
  }
}

function isOf(asset: HostAsset, { id, assetId }: Deleted): boolean {
  if (assetId !== null) return asset.assetId === assetId;
  return idOfFoundAsset(asset.assetId) === id || readHostMetadata(asset)?.fields.id === id;
}
