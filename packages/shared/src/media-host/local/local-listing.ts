import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '@holdfast/foundation/errors';
import { abortReason } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { type ResourceType, resourceTypes } from '../../media/index.js';
import type { AssetPage, ChangesRequest, HostAsset, ListRequest, UnreadableAsset } from '../media-host.js';
import { foldersOf, isAssetId, placeOf, readAssetAt } from './asset-files.js';
import { unlessMissing } from './disk.js';

interface Spot {
  resourceType: ResourceType;
  assetId: string;
}

type Walked = Spot & WalkedAsset;

/** Pages over the names in the folders; a cursor is the last asset given, so it never grows old. */
export function createListing(root: string, log: Logger) {
  const read = async (
    { resourceType, assetId, edited }: Walked,
    unreadable: UnreadableAsset[],
  ): Promise<HostAsset | null> => {
    try {
      return await readAssetAt(placeOf(root, resourceType, assetId), edited);
    } catch (error) {
      // One damaged file must not end every listing; `find` and `confirm` still say what is wrong with it.
      log.warn('host.asset_unreadable', { assetId, error });
      unreadable.push({ assetId, publicId: null });
      return null;
    }
  };

  const page = async (
    spots: AsyncIterable<Walked>,
    limit: number,
    signal: AbortSignal,
  ): Promise<AssetPage> => {
    const taken: Walked[] = [];
    let more = false;
    for await (const spot of spots) {
      if (signal.aborted) throw abortReason(signal);
      more = taken.length === limit;
      if (more) break;
      taken.push(spot);
    }
    const unreadable: UnreadableAsset[] = [];
    const assets = await Promise.all(taken.map((walked) => read(walked, unreadable)));
    const last = taken.at(-1);
    return {
      assets: assets.filter((asset) => asset !== null),
      unreadable,
      lacking: [],
      nextCursor: more && last !== undefined ? `${last.resourceType}:${last.assetId}` : null,
    };
  };

  return {
    list: ({ resourceType, cursor, limit, signal }: ListRequest): Promise<AssetPage> => {
      const from = cursor === null ? null : readCursor(cursor);
      if (from !== null && from.resourceType !== resourceType) throw new HoldfastError('HOST_CURSOR_SPENT');
      return page(spotsOf(root, resourceType, { after: from?.assetId ?? null }), limit, signal);
    },
    /** In the order of creation within each type: a page is cheap and stable that way, and edits of old assets come first. */
    changes: ({ since, cursor, limit, signal }: ChangesRequest): Promise<AssetPage> => {
      const from = cursor === null ? null : readCursor(cursor);
      return page(changedSpots(root, since.getTime(), from), limit, signal);
    },
  };
}

async function* changedSpots(root: string, changedSince: number, from: Spot | null): AsyncGenerator<Walked> {
  const start = from === null ? 0 : resourceTypes.indexOf(from.resourceType);
  for (const resourceType of resourceTypes.slice(start)) {
    const after = from?.resourceType === resourceType ? from.assetId : null;
    yield* spotsOf(root, resourceType, { after, changedSince });
  }
}

async function* spotsOf(
  root: string,
  resourceType: ResourceType,
  options: Parameters<typeof walkAssets>[1],
): AsyncGenerator<Walked> {
  for await (const walked of walkAssets(join(root, resourceType), options)) yield { resourceType, ...walked };
}

function readCursor(cursor: string): Spot {
  const [type, assetId = ''] = cursor.split(':');
  const resourceType = resourceTypes.find((known) => known === type);
  if (resourceType === undefined || !isAssetId(assetId)) throw new HoldfastError('HOST_CURSOR_SPENT');
  return { resourceType, assetId };
}

interface WalkOptions {
  /** Asset id after which to go on; null = from the start. */
  after: string | null;
  /** Only assets that changed at or after this time, in milliseconds since the epoch. */
  changedSince?: number;
}

interface WalkedAsset {
  assetId: string;
  /** True when a file with replaced metadata is there. */
  edited: boolean;
}

/** Time stamps of files lag behind the clock by a tick of the kernel. */
const CLOCK_SLACK_MS = 1_000;

/**
 * The assets of one type in the order of their names, which is that of their creation. Reads names only, one folder at
 * a time, and with `changedSince` only folders that changed.
 */
async function* walkAssets(
  typeFolder: string,
  { after, changedSince }: WalkOptions,
): AsyncGenerator<WalkedAsset, void, undefined> {
  const [first, second] = after === null ? ['', ''] : foldersOf(after);
  const since = changedSince === undefined ? null : changedSince - CLOCK_SLACK_MS;
  for (const outer of await names(typeFolder)) {
    if (outer < first) continue;
    const outerFolder = join(typeFolder, outer);
    if (since !== null && !(await changed(outerFolder, since))) continue;
    for (const inner of await names(outerFolder)) {
      if (outer === first && inner < second) continue;
      const folder = join(outerFolder, inner);
      if (since !== null && !(await changed(folder, since))) continue;
      const resumed = outer === first && inner === second ? after : null;
      yield* assetsIn(folder, resumed, since);
    }
  }
}

async function* assetsIn(
  folder: string,
  after: string | null,
  since: number | null,
): AsyncGenerator<WalkedAsset, void, undefined> {
  const all = await names(folder);
  const edits = new Map(
    all.filter((name) => name.endsWith('.meta')).map((name) => [name.slice(0, 32), name]),
  );
  for (const name of all) {
    const id = name.slice(0, 32);
    if (!isAssetId(id) || name !== `${id}.json` || (after !== null && id <= after)) continue;
    const edit = edits.get(id);
    if (
      since === null ||
      (await changed(join(folder, name), since)) ||
      (edit !== undefined && (await changed(join(folder, edit), since)))
    )
      yield { assetId: id, edited: edit !== undefined };
  }
}

async function names(folder: string): Promise<string[]> {
  return ((await unlessMissing(readdir(folder))) ?? []).toSorted();
}

/** By the change time too: a rename or link into place does not alter a file's own modification time. */
async function changed(path: string, since: number): Promise<boolean> {
  const found = await unlessMissing(stat(path));
  return found !== null && (found.ctimeMs >= since || found.mtimeMs >= since);
}

/** Whether this media folder of a local host has any asset. Rejects with the error of the disk. */
export async function holdsMedia(directory: string): Promise<boolean> {
  for (const type of resourceTypes)
    for await (const asset of walkAssets(join(directory, type), { after: null }))
      if (asset.assetId !== '') return true;
  return false;
}
