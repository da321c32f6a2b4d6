import type { Catalog } from '../catalog/index.js';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { idOfFoundAsset, isOnAnotherHost, isOwnId, readHostMetadata } from '../media/index.js';
import { isHalfSpent, type AssetRef, type HostAsset, type MediaHost } from '../media-host/index.js';
import type { DeletionNotes } from '../snapshot/index.js';

export interface RemovalDependencies {
  catalog: Pick<Catalog, 'finishDelete'>;
  host: Pick<MediaHost, 'identity' | 'find' | 'remove' | 'confirm' | 'budget'>;
  deletionNotes: Pick<DeletionNotes, 'add'>;
}

/** A file that has its tombstone. */
export interface Deleted extends AssetRef {
  id: string;
  /** Null where its record is gone already. */
  assetId: string | null;
  /** Null where its record is gone already. */
  url: string | null;
}

/**
 * removed: from the host and from the catalog. elsewhere: the host could not say where the asset is. It may have been renamed, so
 * its asset id is noted and gets a tombstone too, and a sync that meets it removes it where it carries our mark. on another host:
 * only that host can confirm the removal. The deletion is noted on this one, and the record waits as `deleting`.
 */
export type Removal = 'removed' | 'elsewhere' | 'on another host';

/**
 * Notes the deletion on the host, removes the asset there, and then its record from the catalog. Only the asset that was deleted
 * goes: its name may belong to another one by now. May be repeated. Rejects when the host or the catalog cannot be reached, and
 * when the host contradicts itself.
 */
export async function removeRecord(
  { catalog, host, deletionNotes }: RemovalDependencies,
  deleted: Deleted,
  signal: AbortSignal,
): Promise<Removal> {
  const { id, assetId, url } = deleted;
  if (url !== null && isOnAnotherHost(url, host.identity)) {
    await deletionNotes.add(id, signal);
    return 'on another host';
  }
  // An asset that is gone needs no note to stay so: one that fails is tried again after the removal.
  const noting = deletionNotes.add(id, signal);
  noting.catch(() => undefined);
  const asset = await placeOnHost(host, deleted, signal);
  const isRemoved = asset !== null && (await host.remove(asset, signal)) === 'removed';
  await noting;
  if (asset !== null && !isRemoved)
    throw new HoldfastError('HOST_REJECTED', 'the media host showed the asset but did not find it to remove');
  if (!isRemoved && assetId !== null) await deletionNotes.add(idOfFoundAsset(assetId), signal);
  // Also of an asset that is gone: a sync may have seen it before, renamed or without its mark, and take it for one of others.
  await catalog.finishDelete(id, assetId);
  return isRemoved ? 'removed' : 'elsewhere';
}

/** Where the asset is that was deleted; null where the host does not say. */
async function placeOnHost(host: RemovalDependencies['host'], deleted: Deleted, signal: AbortSignal) {
  const { id, assetId } = deleted;
  try {
    const asset = await host.find(deleted, signal);
    if (asset !== null && isAssetOf(asset, deleted)) return deleted;
  } catch (error) {
    // A damaged description says nothing: the asset under this name is the one that was deleted.
    if (isHoldfastError(error, 'ASSET_UNREADABLE')) return deleted;
    throw error;
  }
  // To ask by its id is a metered call: the second half of the budget is left to syncs, which find an asset of ours as well. One that
  // others put there they do not remove, so that is asked for in any case.
  if (assetId === null || (isOwnId(id) && isHalfSpent(host.budget()))) return null;
  const { assets, unreadable } = await host.confirm([assetId], signal);
  if (unreadable.length > 0)
    throw new HoldfastError('HOST_REJECTED', 'the media host shows the asset in a form that cannot be read');
  return assets[0] ?? null;
}

function isAssetOf(asset: HostAsset, { id, assetId }: Deleted): boolean {
  if (assetId !== null) return asset.assetId === assetId;
  return idOfFoundAsset(asset.assetId) === id || readHostMetadata(asset)?.fields.id === id;
}
