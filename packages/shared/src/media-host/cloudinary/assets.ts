import { HoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import { type HostMetadata, isOwnKey } from '../../media/index.js';
import { HostFailure } from '../failures.js';
import type { AssetRef, HostAsset, MediaHost } from '../media-host.js';
import { type Connection, isNotFound } from './connection.js';
import { encodeContext } from './signing.js';
import type { Placement } from './placement.js';
import { readAsset, readDestroyed } from './replies.js';
import type { AddressOptions, CallOptions } from './sdk.js';

const nothing: HostMetadata = { context: {}, tags: [] };

/** Looking up, describing and removing one asset, by calls that are not metered. */
export function createAssets(
  { sdk, signed }: Connection,
  place: Placement['place'],
): Pick<MediaHost, 'annotate' | 'remove'> & {
  find: (ref: AssetRef, signal?: AbortSignal) => Promise<HostAsset | null>;
} {
  const explicit = (
    ref: AssetRef,
    written: { context: string; tags: string } | null,
    metadata: HostMetadata | null,
    signal?: AbortSignal,
  ): Promise<HostAsset> =>
    signed(
      signal,
      (call) =>
        place(
          metadata === null ? { ref, metadata: nothing, kind: 'look' } : { ref, metadata, kind: 'edit' },
          (placement) =>
            sdk.uploader.explicit(ref.publicId, { ...address(ref, call), ...written, ...placement }),
        ),
      (reply) => sameAsset(insistOnBytes(readAsset(reply)), ref),
    );

  const clear = (
    asset: HostAsset,
    signal: AbortSignal | undefined,
    call: (ids: string[], options: AddressOptions) => Promise<unknown>,
  ): Promise<void> =>
    signed(
      signal,
      (options) => call([asset.publicId], address(asset, options)),
      () => undefined,
    );

  /** An empty list is dropped by the SDK, and then changes nothing. A host that adds tags instead of replacing them kept others. */
  const clearTags = async (
    asset: HostAsset,
    tags: readonly string[],
    signal?: AbortSignal,
  ): Promise<HostAsset> => {
    if (asset.tags.every((tag) => tags.includes(tag))) return asset;
    await clear(asset, signal, (ids, options) =>
      tags.length === 0
        ? sdk.uploader.remove_all_tags(ids, options)
        : sdk.uploader.replace_tag(tags.join(','), ids, options),
    );
    return { ...asset, tags: [...tags] };
  };

  /**
   * The same for context. Where the host merged, keys of ours that should be gone are still there; they are emptied, which reads
   * like a missing key. Those of others stay: they came while we wrote.
   */
  const clearContext = async (
    asset: HostAsset,
    metadata: HostMetadata,
    signal?: AbortSignal,
  ): Promise<HostAsset> => {
    const { context, tags } = metadata;
    if (Object.keys(context).length === 0 && Object.keys(asset.context).length > 0) {
      await clear(asset, signal, (ids, options) => sdk.uploader.remove_all_context(ids, options));
      return { ...asset, context: {} };
    }
    const stale = staleKeys(asset, context);
    if (stale.length === 0) return asset;
    const emptied = { ...context, ...Object.fromEntries(stale.map((key) => [key, ''])) };
    const written = { context: encodeContext(emptied), tags: tags.join(',') };
    const cleared = await explicit(asset, written, metadata, signal);
    if (staleKeys(cleared, context).length > 0)
      throw new HoldfastError('HOST_REJECTED', 'the media host keeps context that was to be removed');
    return { ...asset, context: cleared.context };
  };

  return {
    find: async (ref, signal) => {
      try {
        return await explicit(ref, null, null, signal);
      } catch (error) {
        if (isNotFound(error)) return null;
        throw error;
      }
    },
    annotate: async (ref, metadata, signal) => {
      try {
        const written = { context: encodeContext(metadata.context), tags: metadata.tags.join(',') };
        const asset = await clearTags(await explicit(ref, written, metadata, signal), metadata.tags, signal);
        return await clearContext(asset, metadata, signal);
      } catch (error) {
        if (isNotFound(error)) throw new HoldfastError('MEDIA_NOT_FOUND', undefined, { cause: error });
        throw error;
      }
    },
    remove: (ref, signal) =>
      signed(
        signal,
        (call) => sdk.uploader.destroy(ref.publicId, { ...address(ref, call), invalidate: true }),
        (reply) => {
          const result = readDestroyed(reply);
          if (result === 'ok') return 'removed';
          if (result === 'not found') return 'absent';
          throw new HoldfastError('HOST_REJECTED', `the media host answered a removal with: ${result}`);
        },
      ),
  };
}

function staleKeys(asset: HostAsset, context: HostMetadata['context']): string[] {
  return Object.keys(asset.context).filter((key) => isOwnKey(key) && !Object.hasOwn(context, key));
}

/** Listings leave out what exists only as a backup, so a single look-up does not show it either. */
function insistOnBytes({ asset, isBackup }: ReturnType<typeof readAsset>): HostAsset {
  if (!isBackup) return asset;
  const cause = new HostFailure('the asset exists only as a backup', 404, null);
  throw new HoldfastError('HOST_REJECTED', cause.message, { cause });
}

/** Only an answer that names the asset proves that the call reached it. */
export function sameAsset(asset: HostAsset, ref: AssetRef): HostAsset {
  if (asset.publicId === ref.publicId && asset.resourceType === ref.resourceType) return asset;
  throw new HoldfastError('HOST_REJECTED', 'the media host answered for another asset');
}

function address({ resourceType }: AssetRef, call: CallOptions): AddressOptions {
  return { ...call, resource_type: resourceType, type: 'upload' };
}

const REMOVE_WITHIN_MS = 5_000;
const TRIES = 3;

/**
 * Removes what an upload became under another name than it was sent with, and throws HOST_ALTERS_UPLOADS: the id of a media is in
 * its public id, so no other code would find it there.
 */
export async function refuseRenamed(
  host: Pick<MediaHost, 'remove'>,
  asset: HostAsset,
  sentAs: string,
  log: Logger,
): Promise<never> {
  for (let left = TRIES; left > 0; left -= 1) {
    try {
      await host.remove(asset, AbortSignal.timeout(REMOVE_WITHIN_MS));
      break;
    } catch (error) {
      if (left === 1) log.warn('host.renamed_upload_left', { publicId: asset.publicId, error });
    }
  }
  throw new HoldfastError(
    'HOST_ALTERS_UPLOADS',
    `the account stored ${sentAs} as ${asset.publicId}: remove the folder or prefix from its default upload preset`,
  );
}
