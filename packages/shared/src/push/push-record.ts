import type { Catalog } from '../catalog/index.js';
import {
  carriedFields,
  editBase,
  editsOnHostOnly,
  isOfAnotherDeployment,
  readHostMetadata,
  writeHostMetadata,
  type Carried,
  type CarriedFields,
  type MediaRecord,
} from '../media/index.js';
import type { HostAsset, MediaHost } from '../media-host/index.js';

/** What `pushRecord` works with. It adds no jobs: those for what it joined are left to its caller. */
export interface PushDependencies {
  catalog: Pick<Catalog, 'find' | 'saveIf' | 'notePushed' | 'findTakenIn' | 'noteTakenIn' | 'forgetTakenIn'>;
  host: Pick<MediaHost, 'find' | 'annotate'>;
}

/**
 * pushed: the host carries the record as it is now; nothing: it did already, or the media is gone from the catalog;
 * missing: the host has no such asset under its name; overtaken: the host carries a newer revision, which a sync brings in.
 */
export interface Push {
  outcome: 'pushed' | 'nothing' | 'missing' | 'overtaken';
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
  const editsThere = async (asset: HostAsset, { fields }: Carried, record: MediaRecord) =>
    editsOnHostOnly(asset, fields, record, (await catalog.findTakenIn([id])).get(id) ?? null);
  let joined: MediaRecord | null = null;
  let outcome: Push['outcome'] = 'nothing';
  let written = 0;
  for (let left = TRIES; left > 0; left -= 1) {
    signal.throwIfAborted();
    const record = await catalog.find(id);
    if (record === null || record.status === 'deleting') break;
    // After a write of ours only that counts: it may have landed over a newer one that was noted as pushed.
    if (record.revision <= (written === 0 ? record.pushedRevision : written)) break;
    const ref = { publicId: record.publicId, resourceType: record.resourceType };
    const asset = await host.find(ref, signal);
    if (asset === null) return { outcome: 'missing', joined };
    const carried = readHostMetadata(asset);
    // Renamed, and another asset has its name: what that one carries must stay.
    if (asset.assetId !== record.assetId && carried?.fields.id !== id) return { outcome: 'missing', joined };
    // The mark of another media, on a copy of its asset, counts revisions of its own.
    if (carried?.fields.id === id && carried.fields.revision > record.revision)
      return { outcome: 'overtaken', joined };
    const theirs = carried === null ? {} : await editsThere(asset, carried, record);
    if (carried !== null && Object.keys(theirs).length > 0) {
      const next = {
        ...record,
        ...theirs,
        revision: record.revision + 1,
        updatedAt: new Date().toISOString(),
      };
      if ((await catalog.saveIf(next, record.revision)) !== 'updated') continue;
      joined = next;
      await catalog.noteTakenIn([{ id, revision: next.revision, base: editBase(carried.fields) }]);
      continue;
    }
    const fields = isOfAnotherDeployment(asset, carried, id)
      ? withEdits(carried.fields, record)
      : carriedFields(record);
    const metadata = writeHostMetadata({
      mark: { state: 'committed' },
      fields,
      // An edit must not free the key of the upload.
      ...(carried?.claim === undefined ? {} : { claim: carried.claim }),
      // Nor the name that the asset has by now its id.
      ...(carried?.boundTo === undefined || carried.fields.id !== fields.id
        ? {}
        : { boundTo: carried.boundTo }),
    });
    await host.annotate(ref, metadata, signal);
    written = record.revision;
    await catalog.notePushed(id, record.revision);
    await catalog.forgetTakenIn(id, written);
    outcome = 'pushed';
  }
  return { outcome, joined };
}

/** The other deployment takes them for an edit that is newer than its own record. */
function withEdits(
  theirs: CarriedFields,
  { title, description, category, tags, updatedAt }: MediaRecord,
): CarriedFields {
  return { ...theirs, title, description, category, tags, updatedAt, revision: theirs.revision + 1 };
}
