import { HoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import { type HostMetadata, isOwnKey } from '../../media/index.js';
import { type AssetRef, type HostAsset, type MediaHost, statusOf, unreadableAnswer } from '../media-host.js';
import { readAsset, readDestroyed } from './replies.js';
import type { Connection } from './sdk.js';

/** Where the Media Library shows an asset, and under which name. Accounts with fixed folders have neither. */
export interface Placed {
  asset_folder?: string;
  display_name?: string;
}

/** Runs an upload or a write with this folder and name, and again without where they are refused. */
export type Place = (wanted: Placed, call: (placed: Placed) => Promise<unknown>) => Promise<unknown>;

/** Looking up, describing and removing one asset, by calls that are not metered. */
export function createAssets(
  { sdk, signed }: Connection,
  place: Place,
): Pick<MediaHost, 'annotate' | 'find' | 'remove'> {
  /** The asset, after it was given what is to be written; null where there is none. */
  const explicit = async (
    ref: AssetRef,
    signal: AbortSignal | undefined,
    written: Readonly<Record<string, string>> = {},
    wanted: Placed = {},
  ): Promise<HostAsset | null> => {
    try {
      const reply = await place(wanted, (placed) =>
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

  const write = async (
    ref: AssetRef,
    { context, tags, displayName }: HostMetadata,
    signal: AbortSignal | undefined,
  ): Promise<HostAsset> => {
    const written = { context: encodeContext(context), tags: tags.join(',') };
    const named = displayName === undefined ? {} : { display_name: displayName };
    const asset = await explicit(ref, signal, written, named);
    if (asset === null) throw new HoldfastError('MEDIA_NOT_FOUND');
    return asset;
  };

  return {
    find: (ref, signal) => explicit(ref, signal),
    annotate: async (ref, metadata, signal) => {
      const { tags } = metadata;
      const written = await write(ref, metadata, signal);
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
      const cleared = await write(ref, { ...metadata, context }, signal);
      if (staleKeys(cleared, metadata).length > 0)
        throw unreadableAnswer('the media host keeps context that was to be removed');
      return { ...asset, context: cleared.context };
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
