import { readRevision, type Catalog, type StoredRecord } from '@holdfast/shared/catalog';
import type { RefusedAssets } from '@holdfast/shared/intents';
import { fromRedisError, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import { placeOf, type AssetMarks } from './reconcile-step.js';
import type { Sighting } from './sighting.js';

export interface PageFacts {
  records: ReadonlyMap<string, StoredRecord>;
  marks: AssetMarks;
}

export type ReadPageFacts = (sightings: readonly Sighting[]) => Promise<PageFacts>;

const noMarks: AssetMarks = {
  tombstoned: new Set(),
  inHand: new Set(),
  refused: new Set(),
  takenIn: new Map(),
};

/**
 * What Redis knows about the assets of a page: one round trip where every asset has its settled record, and one more
 * for the marks of those that do not. Throws CATALOG_UNAVAILABLE.
 */
export function createReadPageFacts(
  catalog: Pick<Catalog, 'findStored' | 'findTakenIn'>,
  refused: Pick<RefusedAssets, 'areRefused'>,
  { redis, keys }: { redis: RedisClient; keys: RedisKeys },
): ReadPageFacts {
  const members = async (key: string, ids: readonly string[]): Promise<Set<string>> => {
    if (ids.length === 0) return new Set();
    try {
      const scores = await redis.zmscore(key, ...ids);
      return new Set(ids.filter((_, index) => scores[index] !== null));
    } catch (error) {
      throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
    }
  };

  return async (sightings) => {
    const ids = [...new Set(sightings.flatMap((sighting) => sighting.ids))];
    const stored = await catalog.findStored(ids);
    const records = new Map<string, StoredRecord>();
    for (const entry of stored) if (entry !== null) records.set(entry.id, entry);

    const isSettled = (id: string): boolean => {
      const status = records.get(id)?.status;
      return status !== undefined && status !== 'saving' && status !== 'deferred';
    };
    const unsettled = ids.filter((id) => !isSettled(id));
    const unpushed = [...records.values()].filter(isUnpushed).map(({ id }) => id);
    if (unsettled.length === 0 && unpushed.length === 0) return { records, marks: noMarks };
    const unknown = sightings
      .filter((sighting) => !sighting.ids.some((id) => records.has(id)))
      .map(({ asset }) => asset);
    const [tombstoned, inHand, areRefused, takenIn] = await Promise.all([
      members(keys.tombstones, unsettled),
      members(keys.intents, unsettled),
      refused.areRefused(unknown),
      catalog.findTakenIn(unpushed),
    ]);
    const places = unknown.filter((_, index) => areRefused[index] === true).map(placeOf);
    return { records, marks: { tombstoned, inHand, refused: new Set(places), takenIn } };
  };
}

function isUnpushed({ content, pushedRevision }: StoredRecord): boolean {
  return pushedRevision < readRevision(content);
}
