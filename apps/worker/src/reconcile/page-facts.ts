import type { StoredRecord } from '@holdfast/shared/catalog';
import type { ArrivalRules } from '@holdfast/shared/direct-uploads';
import {
  idFromPublicId,
  readHostMetadata,
  recordFromAsset,
  type Carried,
  type MediaRecord,
  type MediaSource,
} from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import type { SyncDependencies } from '../sync-run/sync-dependencies.js';

/** An asset as the host showed it, read once. */
export interface SeenAsset {
  asset: HostAsset;
  /** The record it would get where we have none. */
  fresh: MediaRecord;
  /** What Holdfast wrote on it; null for an asset that others put there. */
  carried: Carried | null;
  /** Under which its record may be found: the id it would get, that in its mark, that in its public id. */
  ids: readonly string[];
}

/** `source` is how a foreign asset came to be seen. */
export function seeAsset(asset: HostAsset, folder: string, source: MediaSource = 'sync'): SeenAsset {
  const carried = readHostMetadata(asset);
  const fresh = recordFromAsset(asset, folder, source, carried);
  const ids = [fresh.id];
  if (carried !== null && carried.fields.id !== fresh.id) ids.push(carried.fields.id);
  // An asset that carries the id it gets has it in its public id too, or is found by its asset id.
  if (carried?.fields.id !== fresh.id) {
    const inPublicId = idFromPublicId(folder, asset);
    if (inPublicId !== null && !ids.includes(inPublicId)) ids.push(inPublicId);
  }
  return { asset, fresh, carried, ids };
}

/** What assets are judged by, besides what is known of them. */
export interface ReconcileRules {
  folder: string;
  syncPrefix: string;
  nowMs: number;
  /** By the host's clock, for what is compared with the host's dates. */
  hostNowMs: number;
  /** For what clients sent straight to the host. */
  uploads: ArrivalRules;
}

/** The rules at this moment. */
export function reconcileRules({
  settings,
  host,
  now,
}: Pick<SyncDependencies, 'settings' | 'host' | 'now'>): ReconcileRules {
  const { folder, syncPrefix } = settings.host;
  return { folder, syncPrefix, nowMs: now(), hostNowMs: host.hostNow(), uploads: settings.uploads };
}

/** Whether a sync takes care of this asset; our own folder always. */
export function isCovered(
  publicId: string,
  { folder, syncPrefix }: Pick<ReconcileRules, 'folder' | 'syncPrefix'>,
): boolean {
  return syncPrefix === '' || publicId.startsWith(syncPrefix) || publicId.startsWith(`${folder}/`);
}

/** What Redis knows about the assets of a page. */
export interface PageFacts {
  records: ReadonlyMap<string, StoredRecord>;
  /** Deleted here. */
  tombstoned: ReadonlySet<string>;
  /** Being uploaded or verified: the jobs of the upload decide. */
  withIntent: ReadonlySet<string>;
  /** Public ids, with their type, of refused uploads that wait for their removal. */
  refused: ReadonlySet<string>;
  /** Ids of our tickets whose files have another name than was signed. */
  ticketed: ReadonlySet<string>;
}

/**
 * One round trip where every asset has its settled record, and one more for what else is known of those that do not.
 * Throws CATALOG_UNAVAILABLE.
 */
export async function readPageFacts(
  seen: readonly SeenAsset[],
  deps: Pick<SyncDependencies, 'catalog' | 'intents' | 'refused' | 'tickets'>,
): Promise<PageFacts> {
  const { catalog, intents, refused } = deps;
  const ids = [...new Set(seen.flatMap((one) => one.ids))];
  const stored = (await catalog.findStored(ids)).filter((entry) => entry !== null);
  const records = new Map(stored.map((entry) => [entry.id, entry]));
  const settled = new Set(stored.flatMap((entry) => (isUnsettled(entry) ? [] : entry.id)));
  const unsettled = ids.filter((id) => !settled.has(id));
  const withoutRecord = seen.filter((one) => !one.ids.some((id) => records.has(id)));
  const unknown = withoutRecord.map(({ asset }) => asset);
  const [tombstoned, withIntent, areRefused, ticketed] = await Promise.all([
    catalog.findTombstoned(unsettled),
    intents.findUnderWay(unsettled),
    refused.areRefused(unknown),
    findTicketed(withoutRecord, deps),
  ]);
  // Also where it cannot be removed now: while the host shows the asset, nothing may forget that it was deleted.
  await catalog.keepTombstones([...tombstoned]);
  const refusedIds = unknown.filter((_, index) => areRefused[index] === true).map(typedPublicId);
  return { records, tombstoned, withIntent, refused: new Set(refusedIds), ticketed };
}

const isUnsettled = ({ status }: StoredRecord): boolean => status === 'saving' || status === 'deferred';

/** Of what clients sent straight to the host and that has another id by its name: whose ticket is ours. */
async function findTicketed(
  seen: readonly SeenAsset[],
  { tickets }: Pick<SyncDependencies, 'tickets'>,
): Promise<ReadonlySet<string>> {
  const ids = seen.flatMap(({ carried, fresh }) =>
    carried?.mark.state === 'ticket' && carried.fields.id !== fresh.id ? [carried.fields.id] : [],
  );
  const found = await Promise.all(ids.map((id) => tickets.find(id)));
  return new Set(ids.filter((_, index) => found[index] !== null));
}

/** The public id together with its type. */
export function typedPublicId({
  resourceType,
  publicId,
}: Pick<HostAsset, 'resourceType' | 'publicId'>): string {
  return `${resourceType}:${publicId}`;
}
