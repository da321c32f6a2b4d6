import { HoldfastError } from '../../errors/index.js';
import type { HostMetadata } from '../../media/index.js';
import { HostFailure } from '../host-failure.js';
import type { AssetRef, HostAsset, MediaHost } from '../media-host.js';
import { encodeContext } from './encode-context.js';
import type { HostCaller } from './host-caller.js';
import { readAsset, readDestroyed } from './reply-schemas.js';
import type { AddressOptions, CallOptions, CloudinarySdk } from './sdk.js';
import { isNotFound } from './to-host-error.js';

/** Looking up, describing and removing one asset, by calls that are not metered. */
export function createSingleAssets(
  sdk: CloudinarySdk,
  { signed }: HostCaller,
): Pick<MediaHost, 'annotate' | 'remove'> & {
  find: (ref: AssetRef, signal?: AbortSignal) => Promise<HostAsset | null>;
} {
  const explicit = (ref: AssetRef, metadata: HostMetadata | null, signal?: AbortSignal): Promise<HostAsset> =>
    signed(
      signal,
      (call) =>
        sdk.uploader.explicit(ref.publicId, {
          ...address(ref, call),
          ...(metadata === null ? {} : { context: encodeContext(metadata.context), tags: metadata.tags.join(',') }),
        }),
      (reply) => sameAsset(insistOnBytes(readAsset(reply)), ref),
    );

  /** An empty list or map is dropped by the SDK, and then changes nothing: what is left is cleared by a call of its own. */
  const clearRest = async (
    asset: HostAsset,
    { tags, context }: HostMetadata,
    signal?: AbortSignal,
  ): Promise<HostAsset> => {
    const ids = [asset.publicId];
    const clear = (call: (options: AddressOptions) => Promise<unknown>): Promise<void> =>
      signed(
        signal,
        (options) => call(address(asset, options)),
        () => undefined,
      );
    const staleTags = tags.length === 0 && asset.tags.length > 0;
    const staleContext = Object.keys(context).length === 0 && Object.keys(asset.context).length > 0;
    if (staleTags) await clear((options) => sdk.uploader.remove_all_tags(ids, options));
    if (staleContext) await clear((options) => sdk.uploader.remove_all_context(ids, options));
    return { ...asset, ...(staleTags ? { tags: [] } : {}), ...(staleContext ? { context: {} } : {}) };
  };

  return {
    find: async (ref, signal) => {
      try {
        return await explicit(ref, null, signal);
      } catch (error) {
        if (isNotFound(error)) return null;
        throw error;
      }
    },
    annotate: async (ref, metadata, signal) => {
      try {
        return await clearRest(await explicit(ref, metadata, signal), metadata, signal);
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

/** Listings leave out what exists only as a backup, so it is not there for a single look either. */
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
