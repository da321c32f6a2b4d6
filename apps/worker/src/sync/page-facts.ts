import type { Catalog, StoredRecord } from '@holdfast/shared/catalog';
import type { RefusedAssets } from '@holdfast/shared/intents';
import type { HostAsset } from '@holdfast/shared/media-host';
import { fromRedisError, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import { idsOf } from './reconcile-asset.js';
import { placeOf, type AssetMarks } from './reconcile-step.js';

export interface PageFacts {
  records: ReadonlyMap<string, StoredRecord>;
  marks: AssetMarks;
}

export type ReadPageFacts = (assets: readonly HostAsset[]) => Promise<PageFacts>;

const noMarks: AssetMarks = { tombstoned: new Set(), inHand: new Set(), refused: new Set() };

/**
 * What Redis knows about the assets of a page: one round trip where every asset has its settled record, and one more
 * for the marks of those that do not. Throws CATALOG_UNAVAILABLE.
 */
export function createReadPageFacts(
  catalog: Pick<Catalog, 'findStored'>,
  refused: Pick<RefusedAssets, 'areRefused'>,
  { redis, keys, folder }: { redis: RedisClient; keys: RedisKeys; folder: string },
): ReadPageFacts {
  const members = async (key: string, ids: readonly string[]): Promise<Set<string>> => {
    try {
      const scores = await redis.zmscore(key, ...ids);
      return new Set(ids.filter((_, index) => scores[index] !== null));
    } catch (error) {
      throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
    }
  };

  return async (assets) => {
    const idsByAsset = assets.map((asset) => idsOf(asset, folder));
    const ids = [...new Set(idsByAsset.flat())];
    const stored = await catalog.findStored(ids);
    const records = new Map<string, StoredRecord>();
    for (const entry of stored) if (entry !== null) records.set(entry.record.id, entry);

    const isSettled = (id: string): boolean => {
      const status = records.get(id)?.record.status;
      return status !== undefined && status !== 'saving' && status !== 'deferred';
    };
    const unsettled = ids.filter((id) => !isSettled(id));
    if (unsettled.length === 0) return { records, marks: noMarks };
    const unknown = assets.filter((_, index) => idsByAsset[index]?.every((id) => !records.has(id)) === true);
    const [tombstoned, inHand, areRefused] = await Promise.all([
      members(keys.tombstones, unsettled),
      members(keys.intents, unsettled),
      refused.areRefused(unknown),
    ]);
    const places = unknown.filter((_, index) => areRefused[index] === true).map(placeOf);
    return { records, marks: { tombstoned, inHand, refused: new Set(places) } };
  };
}
