import { HoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import { type HostMetadata, isOwnKey } from '../../media/index.js';
import { HostFailure, statusOf, unreadableAnswer } from '../failures.js';
import type { AssetRef, HostAsset, MediaHost } from '../media-host.js';
import type { Placement, PlacementOptions } from './placement.js';
import { readAsset, readDestroyed } from './replies.js';
import type { Connection } from './sdk.js';
import { encodeContext } from './signing.js';

/** Looking up, describing and removing one asset, by calls that are not metered. */
export function createAssets(
  { sdk, signed }: Connection,
  place: Placement['place'],
): Pick<MediaHost, 'annotate' | 'find' | 'remove'> {
  const explicit = async (
    ref: AssetRef,
    signal: AbortSignal | undefined,
    written: Readonly<Record<string, string>> = {},
    placement: PlacementOptions = {},
  ): Promise<HostAsset> => {
    const reply = await place(placement, (placed) =>
      signed(signal, (call) =>
        sdk.uploader.explicit(ref.publicId, { ...call, ...addressOf(ref), ...written, ...placed }),
      ),
    );
    const { asset, isBackup } = readAsset(reply);
    if (!isBackup) return sameAsset(asset, ref);
    // Listings leave it out, so a single look-up does not show it either.
    const cause = new HostFailure('the asset exists only as a backup', 404);
    throw new HoldfastError('HOST_REJECTED', cause.message, { cause });
  };

  const write = (
    ref: AssetRef,
    { context, tags, displayName }: HostMetadata,
    signal: AbortSignal | undefined,
  ): Promise<HostAsset> => {
    const written = { context: encodeContext(context), tags: tags.join(',') };
    return explicit(ref, signal, written, displayName === undefined ? {} : { display_name: displayName });
  };

  /** An empty list is dropped by the SDK, and then changes nothing. A host that adds tags instead of replacing them kept others. */
  const clearTags = async (
    asset: HostAsset,
    tags: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<HostAsset> => {
    if (asset.tags.every((tag) => tags.includes(tag))) return asset;
    await signed(signal, (call) => {
      const options = { ...call, ...addressOf(asset) };
      return tags.length === 0
        ? sdk.uploader.remove_all_tags([asset.publicId], options)
        : sdk.uploader.replace_tag(tags.join(','), [asset.publicId], options);
    });
    return { ...asset, tags: [...tags] };
  };

  /**
   * The same for context. Keys of ours that should be gone and are still there are emptied, which reads like a missing key. Those of
   * others stay: they came while we wrote.
   */
  const clearContext = async (
    asset: HostAsset,
    metadata: HostMetadata,
    signal: AbortSignal | undefined,
  ): Promise<HostAsset> => {
    const staleIn = ({ context }: HostAsset): string[] =>
      Object.keys(context).filter((key) => isOwnKey(key) && !Object.hasOwn(metadata.context, key));
    const stale = staleIn(asset);
    if (stale.length === 0) return asset;
    const context = { ...metadata.context, ...Object.fromEntries(stale.map((key) => [key, ''])) };
    const cleared = await write(asset, { ...metadata, context }, signal);
    if (staleIn(cleared).length > 0)
      throw unreadableAnswer('the media host keeps context that was to be removed');
    return { ...asset, context: cleared.context };
  };

  return {
    find: async (ref, signal) => {
      try {
        return await explicit(ref, signal);
      } catch (error) {
        if (statusOf(error) === 404) return null;
        throw error;
      }
    },
    annotate: async (ref, metadata, signal) => {
      try {
        const written = await write(ref, metadata, signal);
        return await clearContext(await clearTags(written, metadata.tags, signal), metadata, signal);
      } catch (error) {
        if (statusOf(error) === 404) throw new HoldfastError('MEDIA_NOT_FOUND', undefined, { cause: error });
        throw error;
      }
    },
    remove: async (ref, signal) =>
      readDestroyed(
        await signed(signal, (call) =>
          sdk.uploader.destroy(ref.publicId, { ...call, ...addressOf(ref), invalidate: true }),
        ),
      ),
  };
}

function addressOf({ resourceType }: AssetRef) {
  return { resource_type: resourceType, type: 'upload' };
}

/** Only an answer that names the asset proves that the call reached it. */
export function sameAsset(asset: HostAsset, ref: AssetRef): HostAsset {
  if (asset.publicId === ref.publicId && asset.resourceType === ref.resourceType) return asset;
  throw unreadableAnswer('the media host answered for another asset');
}

const REMOVE_WITHIN_MS = 5_000;

/**
 * Removes what an upload became under another name than it was sent with, and throws HOST_ALTERS_UPLOADS: the id of a media item is in
 * its public id, so no other code would find it there.
 */
export async function refuseRenamed(
  remove: (signal: AbortSignal) => Promise<unknown>,
  { storedAs, sentAs }: { storedAs: string; sentAs: string },
  log: Logger,
): Promise<never> {
  const removeNow = () => remove(AbortSignal.timeout(REMOVE_WITHIN_MS));
  await removeNow()
    .catch(removeNow)
    .catch((error: unknown) => log.warn('host.renamed_upload_left', { publicId: storedAs, error }));
  throw new HoldfastError(
    'HOST_ALTERS_UPLOADS',
    `the account stored ${sentAs} as ${storedAs}: remove the folder or prefix from its default upload preset`,
  );
}
