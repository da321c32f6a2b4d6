import { HoldfastError } from '@holdfast/foundation/errors';
import { type HostMetadata, isOwnKey } from '../../media/index.js';
import { type AssetRef, type HostAsset, type MediaHost, statusOf, unreadableAnswer } from '../media-host.js';
import type { Placement } from './placement.js';
import { readAsset, readDestroyed } from './replies.js';
import type { Connection } from './sdk.js';

/** Looking up, describing and removing one asset, by calls that are not metered. */
export function createAssets(connection: Connection, { place }: Placement) {
  const { sdk, signed } = connection;
  /** The asset, after it was given the metadata; null where there is none. */
  const explicit = async (
    ref: AssetRef,
    signal: AbortSignal | undefined,
    metadata?: HostMetadata,
  ): Promise<HostAsset | null> => {
    const written = metadata === undefined ? {} : fieldsOf(metadata);
    const named = metadata?.displayName === undefined ? {} : { display_name: metadata.displayName };
    try {
      const reply = await place(named, (placed) =>
        signed(signal, (call) =>
          sdk.uploader.explicit(ref.publicId, { ...call, ...addressOf(ref), ...written, ...placed }),
        ),
      );
      const { asset, isBackup } = readAsset(reply);
      // Listings leave out what exists only as a backup.
      return isBackup ? null : sameAsset(asset, ref);
    } catch (error) {
      if (statusOf(error) === 404) return null;
      throw error;
    }
  };

  const write = async (...written: Required<Parameters<typeof explicit>>): Promise<HostAsset> => {
    const asset = await explicit(...written);
    if (asset === null) throw new HoldfastError('MEDIA_NOT_FOUND');
    return asset;
  };

  return {
    find: (ref, signal) => explicit(ref, signal),
    annotate: async (ref, metadata, signal) => {
      const { tags } = metadata;
      const written = await write(ref, signal, metadata);
      // An empty list is dropped by the SDK, and then changes nothing. A host that adds tags instead of replacing them kept others.
      const hasOthers = written.tags.some((tag) => !tags.includes(tag));
      if (hasOthers)
        await signed(signal, (call) => {
          const options = { ...call, ...addressOf(ref) };
          return tags.length === 0
            ? sdk.uploader.remove_all_tags([ref.publicId], options)
            : sdk.uploader.replace_tag(tags.join(','), [ref.publicId], options);
        });
      const asset = hasOthers ? { ...written, tags: [...tags] } : written;
      // The same for context. Keys of ours that should be gone and are still there are emptied, which reads like a missing key. Those of
      // others stay: they came while we wrote.
      const stale = staleKeys(asset, metadata);
      if (stale.length === 0) return asset;
      const context = { ...metadata.context, ...Object.fromEntries(stale.map((key) => [key, ''])) };
      const cleared = await write(ref, signal, { ...metadata, context });
      if (staleKeys(cleared, metadata).length > 0)
        throw unreadableAnswer('the media host keeps context that was to be removed');
      return { ...asset, context: cleared.context };
    },
    remove: (ref, signal) => destroy(connection, ref.publicId, addressOf(ref), signal),
  } satisfies Partial<MediaHost>;
}

/** Removes what is there under this address of the host; not metered. */
export async function destroy(
  { sdk, signed }: Connection,
  publicId: string,
  address: Address,
  signal: AbortSignal | undefined,
): Promise<'removed' | 'absent'> {
  return readDestroyed(
    await signed(signal, (call) => sdk.uploader.destroy(publicId, { ...call, ...address, invalidate: true })),
  );
}

/** Public ids are unique within both. */
type Address = ReturnType<typeof addressOf>;

export function addressOf({ resourceType }: AssetRef) {
  return { resource_type: resourceType, type: 'upload' };
}

/** The SDK leaves out what is empty. */
export function fieldsOf({ context, tags }: HostMetadata) {
  return { context: encodeContext(context), tags: tags.join(',') };
}

function staleKeys({ context }: HostAsset, wanted: HostMetadata): string[] {
  return Object.keys(context).filter((key) => isOwnKey(key) && !Object.hasOwn(wanted.context, key));
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
  connection: Connection,
  storedAs: string,
  sentAs: string,
  address: Address,
): Promise<never> {
  const remove = () => destroy(connection, storedAs, address, AbortSignal.timeout(REMOVE_WITHIN_MS));
  await remove()
    .catch(remove)
    .catch((error: unknown) =>
      connection.log.warn('host.renamed_upload_left', { publicId: storedAs, error }),
    );
  throw new HoldfastError(
    'HOST_ALTERS_UPLOADS',
    `the account stored ${sentAs} as ${storedAs}: remove the folder or prefix from its default upload preset`,
  );
}

/**
 * Context in the form that the host reads: `k=v|k2=v2`. A backslash there escapes only `=` and `|` (docs/decisions/0022), so any
 * other one is sent as it is. At the end of a value it would escape the separator, so such a pair goes last. The SDK passes a
 * text on unchanged, and would order pairs as they come. Throws HOST_CONTEXT_UNWRITABLE for what no text stands for.
 */
export function encodeContext(context: Readonly<Record<string, string>>): string {
  const pairs: string[] = [];
  let last: string | undefined;
  for (const [key, value] of Object.entries(context)) {
    // No client library escapes keys; whether the host would undo it is not known.
    if (/[=|\\]/.test(key)) unwritable(key);
    const pair = `${key}=${value.replaceAll(/[=|]/g, String.raw`\$&`)}`;
    if (!value.endsWith('\\')) pairs.push(pair);
    else if (last === undefined) last = pair;
    else unwritable(key);
  }
  return (last === undefined ? pairs : [...pairs, last]).join('|');
}

function unwritable(key: string): never {
  throw new HoldfastError(
    'HOST_CONTEXT_UNWRITABLE',
    `the context key ${JSON.stringify(key)} on the asset cannot be written back as it is`,
  );
}
