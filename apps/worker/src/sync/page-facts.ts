import { readRevision, type StoredRecord } from '@holdfast/shared/catalog';
import { isUnpushed } from '@holdfast/shared/media';
import { fromRedisError, type RedisClient } from '@holdfast/shared/redis';
import type { SyncDependencies } from '../sync-run/sync-dependencies.js';
import { typedPublicId, type AssetMarks } from './reconcile-step.js';
import type { Sighting } from './sighting.js';

export interface PageFacts {
  records: ReadonlyMap<string, StoredRecord>;
  marks: AssetMarks;
}

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
export async function readPageFacts(
  sightings: readonly Sighting[],
  { catalog, refused, redis, keys }: Pick<SyncDependencies, 'catalog' | 'refused' | 'redis' | 'keys'>,
): Promise<PageFacts> {
  const ids = [...new Set(sightings.flatMap((sighting) => sighting.ids))];
  const stored = await catalog.findStored(ids);
  const records = new Map<string, StoredRecord>();
  for (const entry of stored) if (entry !== null) records.set(entry.id, entry);

  const isSettled = (id: string): boolean => {
    const status = records.get(id)?.status;
    return status !== undefined && status !== 'saving' && status !== 'deferred';
  };
  const unsettled = ids.filter((id) => !isSettled(id));
  // The record itself is not decoded for that.
  const unpushed = [...records.values()]
    .filter(({ content, pushedRevision }) => isUnpushed({ pushedRevision, revision: readRevision(content) }))
    .map(({ id }) => id);
  if (unsettled.length === 0 && unpushed.length === 0) return { records, marks: noMarks };
  const unknown = sightings
    .filter((sighting) => !sighting.ids.some((id) => records.has(id)))
    .map(({ asset }) => asset);
  const [tombstoned, inHand, areRefused, takenIn] = await Promise.all([
    membersOf(redis, keys.tombstones, unsettled),
    membersOf(redis, keys.intents, unsettled),
    refused.areRefused(unknown),
    catalog.findTakenIn(unpushed),
  ]);
  const refusedIds = unknown.filter((_, index) => areRefused[index] === true).map(typedPublicId);
  return { records, marks: { tombstoned, inHand, refused: new Set(refusedIds), takenIn } };
}

async function membersOf(redis: RedisClient, key: string, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  try {
    const scores = await redis.zmscore(key, ...ids);
    return new Set(ids.filter((_, index) => scores[index] !== null));
  } catch (error) {
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
}
