import type { Catalog } from '../catalog/index.js';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { abortReason, isAborted } from '@holdfast/foundation/lifecycle';
import { idOfFoundAsset, isOnAnotherHost, isOwnId, readHostMetadata } from '../media/index.js';
import { isHalfSpent, type AssetRef, type HostAsset, type MediaHost } from '../media-host/index.js';
import type { DeletionNotes } from '../snapshot/index.js';

export interface RemovalDependencies {
  /** `beginDelete` only for a record that came back meanwhile, see finishRemoval. */
  catalog: Pick<Catalog, 'beginDelete' | 'finishDelete'>;
  host: Pick<MediaHost, 'identity' | 'find' | 'remove' | 'confirm' | 'budget'>;
  deletionNotes: Pick<DeletionNotes, 'add'>;
}

/** An asset may be renamed between the look at where it is and the removal. */
const TRIES = 3;

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
  const [note, place] = await Promise.allSettled([
    deletionNotes.add(id, signal),
    placeOnHost(host, deleted, signal),
  ]);
  if (place.status === 'rejected') throw place.reason;
  let ref = place.value;
  // An asset that is gone needs no note to stay so: the note is tried again after it.
  let isRemoved = false;
  for (let left = TRIES; left > 0 && ref !== null && !isRemoved; left -= 1) {
    isRemoved = (await host.remove(ref, signal)) === 'removed';
    if (!isRemoved) ref = await placeOnHost(host, deleted, signal);
  }
  if (note.status === 'rejected') throw note.reason;
  if (ref !== null && !isRemoved)
    throw new HoldfastError(
      'HOST_REJECTED',
      'the media host shows the asset but reports it as not found when it is removed',
    );
  if (!isRemoved && assetId !== null) await deletionNotes.add(idOfFoundAsset(assetId), signal);
  // Also of an asset that is gone: a sync may have seen it before, renamed or without its mark, and take it for one of others.
  await finishRemoval(catalog, id, assetId);
  return isRemoved ? 'removed' : 'elsewhere';
}

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

/** Where the asset is that was deleted; null where the host does not say. */
async function placeOnHost(
  host: RemovalDependencies['host'],
  deleted: Deleted,
  signal: AbortSignal,
): Promise<AssetRef | null> {
  const { assetId, publicId, resourceType } = deleted;
  const ref = { publicId, resourceType };
  try {
    const asset = await host.find(ref, signal);
    if (asset !== null && isAssetOf(asset, deleted)) return ref;
  } catch (error) {
    // A damaged description says nothing: the asset under this name is the one that was deleted.
    if (isHoldfastError(error, 'ASSET_UNREADABLE')) return ref;
    throw error;
  }
  return assetId === null ? null : renamedTo(host, deleted.id, assetId, signal);
}

/**
 * Asked for by its id, which is a metered call: the second half of the budget is left to syncs, which find it as well. An asset
 * that others put there they do not remove, so that is asked for until the host answers.
 */
async function renamedTo(
  host: RemovalDependencies['host'],
  id: string,
  assetId: string,
  signal: AbortSignal,
): Promise<AssetRef | null> {
  const foundBySyncs = isOwnId(id);
  if (foundBySyncs && isHalfSpent(host.budget())) return null;
  try {
    const {
      assets: [asset],
      unreadable,
    } = await host.confirm([assetId], signal);
    if (unreadable.length > 0)
      throw new HoldfastError(
        'HOST_REJECTED',
        'the media host shows the asset in a form that cannot be read',
      );
    return asset === undefined ? null : { publicId: asset.publicId, resourceType: asset.resourceType };
  } catch (error) {
    if (isAborted(signal)) throw abortReason(signal);
    if (!foundBySyncs) throw error;
    return null;
  }
}

function isAssetOf(asset: HostAsset, { id, assetId }: Deleted): boolean {
  if (assetId !== null) return asset.assetId === assetId;
  return idOfFoundAsset(asset.assetId) === id || readHostMetadata(asset)?.fields.id === id;
}
