import type { StoredRecord } from '@holdfast/shared/catalog';
import {
  idFromPublicId,
  readHostMetadata,
  recordFromAsset,
  type Carried,
  type MediaRecord,
  type MediaSource,
} from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import type { SyncDependencies } from '../sync-run/sync-session.js';

/** An asset as the host showed it, read once. */
export interface SeenAsset {
  asset: HostAsset;
  /** The record it would get where we have none. */
  fresh: MediaRecord;
  /** What Holdfast wrote on it; null for an asset that others put there. */
  carried: Carried | null;
}

/** `source` is how a foreign asset came to be seen. */
export function seeAsset(asset: HostAsset, folder: string, source: MediaSource = 'sync'): SeenAsset {
  const carried = readHostMetadata(asset);
  return { asset, fresh: recordFromAsset(asset, folder, source, carried), carried };
}

/** Under which the record of an asset may be found: the id it would get, that in its mark, that in its public id. */
function idsOf({ asset, fresh, carried }: SeenAsset, folder: string): string[] {
  // An asset that carries the id it gets has it in its public id too, or is found by its asset id.
  if (carried?.fields.id === fresh.id) return [fresh.id];
  const others = [carried?.fields.id ?? null, idFromPublicId(folder, asset)];
  return [...new Set([fresh.id, ...others.filter((id) => id !== null)])];
}

/** Whether a sync takes care of this asset; our own folder always. */
export function isCovered(
  publicId: string,
  { folder, syncPrefix }: Pick<PageFacts, 'folder' | 'syncPrefix'>,
): boolean {
  return syncPrefix === '' || publicId.startsWith(syncPrefix) || publicId.startsWith(`${folder}/`);
}

/**
 * What the assets of a page are judged by: the settings, the time, and what Redis knows about them. One round trip where every asset
 * has its settled record, and one more for what else is known of those that do not. Throws CATALOG_UNAVAILABLE.
 */
export async function readPageFacts(
  seen: readonly SeenAsset[],
  { catalog, intents, tickets, settings, host, now }: SyncDependencies,
) {
  const { folder, syncPrefix } = settings.host;
  const idsOfEach = seen.map((one) => idsOf(one, folder));
  const ids = [...new Set(idsOfEach.flat())];
  const stored = (await catalog.findStored(ids)).filter((entry) => entry !== null);
  const records = new Map(stored.map((entry) => [entry.id, entry]));
  const unsettled = ids.filter((id) => isUnsettled(records.get(id)));
  const unknown = seen.filter((_, index) => idsOfEach[index]?.every((id) => !records.has(id)));
  // What clients sent straight to the host and that has another id by its name: whose ticket is ours.
  const renamed = unknown.flatMap(({ carried, fresh }) =>
    carried?.mark.state === 'ticket' && carried.fields.id !== fresh.id ? [carried.fields.id] : [],
  );
  const [tombstoned, withIntent, found] = await Promise.all([
    catalog.findTombstoned(unsettled),
    intents.findStates(unsettled),
    Promise.all(renamed.map((id) => tickets.find(id))),
  ]);
  // Also where it cannot be removed now: while the host shows the asset, nothing may forget that it was deleted.
  await catalog.keepTombstones([...tombstoned]);
  return {
    folder,
    syncPrefix,
    nowMs: now(),
    /** By the host's clock, for what is compared with the host's dates. */
    hostNowMs: host.hostNow(),
    /** For what clients sent straight to the host. */
    uploads: settings.uploads,
    records,
    /** Deleted here. */
    tombstoned,
    /** Being uploaded or verified: the jobs of the upload decide. Or refused, and waiting for their removal. */
    withIntent,
    /** Ids of our tickets whose files have another name than was signed. */
    ticketed: new Set(renamed.filter((_, index) => found[index] !== null)),
  };
}

export type PageFacts = Awaited<ReturnType<typeof readPageFacts>>;

const isUnsettled = (stored: StoredRecord | undefined): boolean =>
  stored === undefined || stored.status === 'saving' || stored.status === 'deferred';

/** The record of this very asset, also when it was renamed or lost its mark; else the one with the id it would get. */
export function pickStored(
  seen: SeenAsset,
  { records, folder }: Pick<PageFacts, 'records' | 'folder'>,
): StoredRecord | null {
  for (const id of idsOf(seen, folder)) {
    const stored = records.get(id);
    if (stored?.record.assetId === seen.asset.assetId) return stored;
  }
  return records.get(seen.fresh.id) ?? null;
}
