import { join } from 'node:path';
import { HoldfastError } from '../../errors/index.js';
import type { Logger } from '../../logging/index.js';
import { resourceTypes, type ResourceType } from '../../media/index.js';
import { abortReason } from '../../lifecycle/index.js';
import type { AssetPage, ChangesRequest, HostAsset, ListRequest, UnreadableAsset } from '../media-host.js';
import { placeOf, readAssetAt } from './asset-files.js';
import { isAssetId } from './asset-id.js';
import { walkAssets, type WalkedAsset } from './walk-assets.js';

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
