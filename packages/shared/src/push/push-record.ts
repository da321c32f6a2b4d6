import type { Catalog } from '../catalog/index.js';
import {
  carriedFields,
  editBase,
  editsOnHostOnly,
  fieldsWithoutMark,
  isOfAnotherDeployment,
  pickEditable,
  readHostMetadata,
  rewriteHostMetadata,
  type Carried,
  type CarriedFields,
  type HostMetadata,
  type MediaRecord,
} from '../media/index.js';
import type { HostAsset, MediaHost } from '../media-host/index.js';

/** What `pushRecord` works with. It adds no jobs: those for what it joined are left to its caller. */
export interface PushDependencies {
  catalog: Pick<Catalog, 'findStored' | 'saveIf' | 'notePushed'>;
  host: Pick<MediaHost, 'find' | 'annotate'>;
}

export interface Push {
  /**
   * pushed: the host carries the record as it is now. nothing: it did already, or the file is being deleted. gone: the catalog does
   * not have it. missing: the host has no such asset under its name. overtaken: the host carries a newer revision, which a sync
   * brings in.
   */
  outcome: 'pushed' | 'nothing' | 'gone' | 'missing' | 'overtaken';
  /** A newer revision that joins edits made here and on the host; it needs to be saved and verified like any other. */
  joined: MediaRecord | null;
}

/** Edits may go on while one is written; this many in a row end with another job of their own. */
const TRIES = 5;

/**
 * Writes the current revision of a record to its asset, so that a rebuild gives it again. Fields that people edited on the
 * host and not here are taken in first, as one more revision, instead of being overwritten. The asset is read before, so
 * that an older revision never replaces a newer one, and the catalog again after, since a late write of ours may have
 * landed on a newer one. Rejects when the host or the catalog cannot be reached.
 */
export async function pushRecord(
  { catalog, host }: PushDependencies,
  id: string,
  signal: AbortSignal,
): Promise<Push> {
  let joined: MediaRecord | null = null;
  let written = 0;
  for (let left = TRIES; left > 0; left -= 1) {
    signal.throwIfAborted();
    const stored = (await catalog.findStored([id]))[0] ?? null;
    if (stored === null) return { outcome: written === 0 ? 'gone' : 'pushed', joined };
    const { record } = stored;
    // After a write of ours only that counts: it may have landed over a newer one that was noted as pushed.
    if (stored.status === 'deleting' || record.revision <= (written || record.pushedRevision)) break;
    const ref = { publicId: record.publicId, resourceType: record.resourceType };
    const asset = await host.find(ref, signal);
    if (asset === null) return { outcome: 'missing', joined };
    const carried = readHostMetadata(asset);
    const refusal = refusalOf(asset, carried, record);
    if (refusal === 'overtaken') {
      const [latest] = await catalog.findStored([id]);
      // A later edit has been pushed since the record was read.
      if (latest?.record.revision !== record.revision) continue;
    }
    if (refusal !== null) return { outcome: refusal, joined };
    const there = carried === null ? fieldsWithoutMark(asset, record) : carried.fields;
    const theirs = editsOnHostOnly(asset, there, record, stored.mergeBase);
    if (Object.keys(theirs).length > 0) {
      const revision = record.revision + 1;
      const next = { ...record, ...theirs, revision, updatedAt: new Date().toISOString() };
      const mergeBase = { revision, base: editBase(there), over: there.revision };
      if ((await catalog.saveIf(next, record, mergeBase)) === 'updated') joined = next;
      continue;
    }
    await host.annotate(ref, metadataFor(record, asset, carried), signal);
    written = record.revision;
    await catalog.notePushed(id, written);
  }
  return { outcome: written === 0 ? 'nothing' : 'pushed', joined };
}

/** Why nothing may be written to this asset; null where it may. */
function refusalOf(
  asset: HostAsset,
  carried: Carried | null,
  { id, assetId, revision }: MediaRecord,
): 'missing' | 'overtaken' | null {
  // Renamed, and another asset has its name: what that one carries must stay.
  if (asset.assetId !== assetId && carried?.fields.id !== id) return 'missing';
  // The mark of another file, on a copy of its asset, counts revisions of its own.
  return carried?.fields.id === id && carried.fields.revision > revision ? 'overtaken' : null;
}

/** What the asset is to carry. */
function metadataFor(record: MediaRecord, asset: HostAsset, carried: Carried | null): HostMetadata {
  const fields = isOfAnotherDeployment(asset, carried, record.id)
    ? withEdits(carried.fields, record)
    : carriedFields(record);
  return rewriteHostMetadata(asset, {
    mark: { state: 'committed' },
    fields,
    // An edit must not free the id that the asset keeps under its new name.
    ...(carried?.boundTo === undefined || carried.fields.id !== fields.id
      ? {}
      : { boundTo: carried.boundTo }),
  });
}

/** The other deployment takes them for an edit that is newer than its own record. */
function withEdits(theirs: CarriedFields, ours: MediaRecord): CarriedFields {
  const { updatedAt } = ours;
  return { ...theirs, ...pickEditable(ours), updatedAt, revision: theirs.revision + 1 };
}
