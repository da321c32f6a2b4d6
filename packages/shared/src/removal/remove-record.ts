import type { Catalog } from '../catalog/index.js';
import { HoldfastError, isHoldfastError } from '../errors/index.js';
import { abortReason, isAborted } from '../lifecycle/index.js';
import { idOfFoundAsset, readHostMetadata } from '../media/index.js';
import type { AssetRef, HostAsset, MediaHost } from '../media-host/index.js';
import type { DeletionNotes } from '../snapshot/index.js';
import { finishRemoval } from './finish-removal.js';

/** What `removeRecord` works with. */
export interface RemovalDependencies {
  /** `beginDelete` only for a record that came back meanwhile, see finishRemoval. */
  catalog: Pick<Catalog, 'beginDelete' | 'finishDelete'>;
  host: Pick<MediaHost, 'find' | 'remove' | 'confirm' | 'budget'>;
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
 * deleted goes: by now its name may belong to another one, which nobody has deleted. `elsewhere`: the host could not say
 * where it is. It may have been renamed, so its asset id is noted and gets a tombstone too, and a sync that meets it removes
 * it. No sync removes what others put there: such a media stays `deleting` until the host has denied its asset id. Rejects when
 * the host or the catalog cannot be reached, and when the host contradicts itself; may be repeated.
 */
export async function removeRecord(
  { catalog, host, deletionNotes }: RemovalDependencies,
  deleted: Deleted,
  signal: AbortSignal,
): Promise<'removed' | 'elsewhere'> {
  const { id, assetId } = deleted;
  const place = await placeOnHost(host, deleted, signal);
  const note = await settled(deletionNotes.add(id, signal));
  // An asset that is gone needs no note to stay so: the note is tried again after it.
  const isRemoved = typeof place === 'object' && (await host.remove(place, signal)) === 'removed';
  if (!note.done) throw note.error;
  if (typeof place === 'object' && !isRemoved)
    throw new HoldfastError(
      'HOST_REJECTED',
      'the media host showed the asset, and denied it when it was to be removed',
    );
  if (place === 'unknown' && assetId !== null && idOfFoundAsset(assetId) === id)
    throw new HoldfastError('HOST_RATE_LIMITED', 'the media host has not said yet where the asset is');
  if (!isRemoved && assetId !== null) await deletionNotes.add(idOfFoundAsset(assetId), signal);
  // Also of an asset that is gone: a sync may have seen it before, renamed or without its mark, and take it for one of others.
  await finishRemoval(catalog, id, assetId);
  return isRemoved ? 'removed' : 'elsewhere';
}

type Settled = { done: true } | { done: false; error: unknown };

function settled(work: Promise<void>): Promise<Settled> {
  return work.then(
    () => ({ done: true }),
    (error: unknown) => ({ done: false, error }),
  );
}

/** Where an asset is. gone: the host denies its asset id too. unknown: it was not asked by that, or did not answer. */
type Place = AssetRef | 'gone' | 'unknown';

async function placeOnHost(
  host: RemovalDependencies['host'],
  deleted: Deleted,
  signal: AbortSignal,
): Promise<Place> {
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
  return assetId === null ? 'unknown' : renamedTo(host, assetId, signal);
}

/** Asked for by its id, which is a metered call: the second half of the budget is left to syncs, which find it as well. */
async function renamedTo(
  host: RemovalDependencies['host'],
  assetId: string,
  signal: AbortSignal,
): Promise<Place> {
  const budget = host.budget();
  if (budget !== null && budget.remaining < budget.limit / 2) return 'unknown';
  try {
    const [asset] = await host.confirm([assetId], signal);
    return asset === undefined ? 'gone' : { publicId: asset.publicId, resourceType: asset.resourceType };
  } catch {
    if (isAborted(signal)) throw abortReason(signal);
    return 'unknown';
  }
}

function isAssetOf(asset: HostAsset, { id, assetId }: Deleted): boolean {
  if (assetId !== null) return asset.assetId === assetId;
  return idOfFoundAsset(asset.assetId) === id || readHostMetadata(asset)?.fields.id === id;
}
