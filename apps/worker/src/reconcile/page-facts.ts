import { readRevision, type StoredRecord } from '@holdfast/shared/catalog';
import { isUnpushed } from '@holdfast/shared/media';
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
  ticketed: new Set(),
  takenIn: new Map(),
};

/**
 * What Redis knows about the assets of a page: one round trip where every asset has its settled record, and one more
 * for the marks of those that do not. Throws CATALOG_UNAVAILABLE.
 */
export async function readPageFacts(
  sightings: readonly Sighting[],
  deps: Pick<SyncDependencies, 'catalog' | 'intents' | 'refused' | 'tickets'>,
): Promise<PageFacts> {
  const { catalog, intents, refused } = deps;
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
  const withoutRecord = sightings.filter((sighting) => !sighting.ids.some((id) => records.has(id)));
  const unknown = withoutRecord.map(({ asset }) => asset);
  const [tombstoned, inHand, areRefused, takenIn, ticketed] = await Promise.all([
    catalog.findTombstoned(unsettled),
    intents.findUnderWay(unsettled),
    refused.areRefused(unknown),
    catalog.findTakenIn(unpushed),
    findTicketed(withoutRecord, deps),
  ]);
  // Also where it cannot be removed now: while the host shows the asset, nothing may forget that it was deleted.
  await catalog.keepTombstones([...tombstoned]);
  const refusedIds = unknown.filter((_, index) => areRefused[index] === true).map(typedPublicId);
  return { records, marks: { tombstoned, inHand, refused: new Set(refusedIds), ticketed, takenIn } };
}

/** Of what clients sent straight to the host and that has another id by its name: whose ticket is ours. */
async function findTicketed(
  sightings: readonly Sighting[],
  { tickets }: Pick<SyncDependencies, 'tickets'>,
): Promise<ReadonlySet<string>> {
  const ids = sightings.flatMap(({ carried, fresh }) =>
    carried?.mark.state === 'ticket' && carried.fields.id !== fresh.id ? [carried.fields.id] : [],
  );
  const found = await Promise.all(ids.map((id) => tickets.find(id)));
  return new Set(ids.filter((_, index) => found[index] !== null));
}
