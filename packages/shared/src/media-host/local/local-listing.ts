import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import { type ResourceType, resourceTypes } from '../../media/index.js';
import type { AssetPage, ListRequest, MediaHost, ShownAssets } from '../media-host.js';
import { type AssetPlace, isAssetId, placeOf, readAssetAt } from './asset-files.js';
import { namesIn, unlessMissing } from './disk.js';

/** Pages over the names in the folders; a cursor is the last asset given, so it never grows old. */
export function createListing(root: string, log: Logger): Pick<MediaHost, 'list' | 'changes' | 'confirm'> {
  /** One damaged file must not end a listing. */
  const show = async (places: readonly AssetPlace[]): Promise<ShownAssets> => {
    const unreadable: ShownAssets['unreadable'] = [];
    const found = await Promise.all(
      places.map((place) =>
        readAssetAt(place).catch((error: unknown) => {
          if (!isHoldfastError(error, 'ASSET_UNREADABLE')) throw error;
          const { assetId } = place;
          log.warn('host.asset_unreadable', { assetId, error });
          unreadable.push({ assetId, publicId: null });
          return null;
        }),
      ),
    );
    return { assets: found.filter((asset) => asset !== null), unreadable, lacking: [] };
  };

  const page = async (
    types: readonly ResourceType[],
    { cursor, limit, signal }: Omit<ListRequest, 'resourceType'>,
    since?: number,
  ): Promise<AssetPage> => {
    const taken: AssetPlace[] = [];
    for await (const place of walkAssets(root, types, readCursor(root, types, cursor), since)) {
      signal.throwIfAborted();
      taken.push(place);
      if (taken.length > limit) break;
    }
    const last = taken.length > limit ? taken[limit - 1] : undefined;
    const nextCursor = last === undefined ? null : `${last.resourceType}:${last.assetId}`;
    return { ...(await show(taken.slice(0, limit))), nextCursor };
  };

  return {
    list: (request) => page([request.resourceType], request),
    /** In the order of creation within each type: a page is cheap and stable that way, and edits of old assets come first. */
    changes: (request) => page(resourceTypes, request, request.since.getTime()),
    confirm: (assetIds) =>
      show(assetIds.filter(isAssetId).flatMap((id) => resourceTypes.map((type) => placeOf(root, type, id)))),
  };
}

function readCursor(root: string, types: readonly ResourceType[], cursor: string | null) {
  if (cursor === null) return null;
  const [type, assetId = ''] = cursor.split(':');
  const resourceType = types.find((known) => known === type);
  if (resourceType === undefined || !isAssetId(assetId)) throw new HoldfastError('HOST_CURSOR_SPENT');
  return placeOf(root, resourceType, assetId);
}

/** Time stamps of files lag behind the clock by a tick of the kernel. */
const CLOCK_SLACK_MS = 1_000;

/**
 * The assets after `from`, by type and then in the order of their names, which is that of their creation; with `since`, in milliseconds
 * since the epoch, only those that changed. Reads names only, one folder at a time, and then only in folders that changed.
 */
async function* walkAssets(
  root: string,
  types: readonly ResourceType[],
  from: AssetPlace | null,
  since?: number,
): AsyncGenerator<AssetPlace> {
  const start = from === null ? 0 : types.indexOf(from.resourceType);
  for (const resourceType of types.slice(start)) {
    const after = from?.resourceType === resourceType ? from.identity : '';
    const isNext = (path: string): boolean => path >= after.slice(0, path.length) && path !== after;
    const below = async (folder: string): Promise<string[]> => {
      const names = (await namesIn(folder)).filter((name) => ENTRY.test(name));
      return changedSince(since, names.map((name) => join(folder, name)).filter(isNext));
    };
    for (const outer of await below(join(root, resourceType)))
      for (const inner of await below(outer))
        for (const entry of await below(inner))
          if (entry.endsWith('.json')) yield placeOf(root, resourceType, basename(entry, '.json'));
  }
}

/** A folder of assets, or an identity. */
const ENTRY = /^(?:[0-9a-f]{3}|[0-9a-f]{5}|[0-9a-f]{32}\.json)$/;

async function changedSince(since: number | undefined, paths: string[]): Promise<string[]> {
  if (since === undefined) return paths;
  const changedAt = await Promise.all(
    paths.map(async (path) => {
      const found = await unlessMissing(stat(path));
      // A rename or link into place does not alter a file's own modification time.
      return found === null ? -Infinity : Math.max(found.ctimeMs, found.mtimeMs);
    }),
  );
  return paths.filter((_path, index) => (changedAt[index] ?? 0) >= since - CLOCK_SLACK_MS);
}

/** Whether this media folder of a local host holds at least one asset. Rejects with the error of the disk. */
export async function holdsMedia(directory: string): Promise<boolean> {
  const { done } = await walkAssets(directory, resourceTypes, null).next();
  return done !== true;
}
