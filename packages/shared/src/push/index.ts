import type { Settings } from '@holdfast/foundation/config';
import type { Catalog } from '../catalog/index.js';
import {
  atItsPlace,
  bindingIn,
  editBase,
  editsOnHostOnly,
  fieldsWithoutMark,
  isOfAnotherDeployment,
  withEdits,
  pickEditable,
  readHostMetadata,
  recordFromAsset,
  withKnown,
  writeHostMetadata,
  type Carried,
  type HostMetadata,
  type MediaRecord,
} from '../media/index.js';
import type { HostAsset, MediaHost } from '../media-host/index.js';

/** What `pushRecord` works with. It adds no jobs: those for what came in are left to its caller. */
export interface PushDependencies {
  catalog: Pick<Catalog, 'findStored' | 'save' | 'saveIf' | 'notePushed'>;
  host: Pick<MediaHost, 'find' | 'annotate'>;
  settings: Pick<Settings, 'host'>;
}

export interface Push {
  /**
   * pushed: the host carries the record as it is now. nothing: it did already, or the file is being deleted. gone: the catalog does
   * not have it. missing: the host has no such asset under its name. overtaken: the host carries a newer revision, which Redis had
   * lost; the catalog has it now, or after the next sync.
   */
  outcome: 'pushed' | 'nothing' | 'gone' | 'missing' | 'overtaken';
  /** A newer revision with edits from the host that came into the catalog. It needs to be verified like any other. */
  joined: MediaRecord | null;
}

/** Edits may go on while one is written; this many in a row end with another job of their own. */
const TRIES = 5;

/**
 * Writes the current revision of a record to its asset, so that a rebuild gives it again. Fields that people edited on the
 * host and not here are taken in first, as one more revision, instead of being overwritten. The asset is read before, so
 * that an older revision never replaces a newer one, and the catalog again after, since a late write of ours may have
 * landed on a newer one. `at`: the asset as a sync has just seen it, whose mark is wrong; it is written where it is now, also when
 * the host had the revision once. Rejects when the host or the catalog cannot be reached.
 */
export async function pushRecord(
  { catalog, host, settings }: PushDependencies,
  id: string,
  signal: AbortSignal,
  at: HostAsset | null = null,
): Promise<Push> {
  const { folder } = settings.host;
  let joined: MediaRecord | null = null;
  let written = 0;
  for (let left = TRIES; left > 0; left -= 1) {
    signal.throwIfAborted();
    const stored = (await catalog.findStored([id]))[0] ?? null;
    if (stored === null) return { outcome: written === 0 ? 'gone' : 'pushed', joined };
    const isRewrite = at !== null && left === TRIES;
    const record = isRewrite ? atItsPlace(at, stored.record) : stored.record;
    // After a write of ours only that counts: it may have landed over a newer one that was noted as pushed.
    const isDone = !isRewrite && record.revision <= (written || record.pushedRevision);
    if (stored.status === 'deleting' || isDone) break;
    const asset = await host.find(record, signal);
    const carried = asset && readHostMetadata(asset);
    const isOurs = carried?.fields.id === id;
    // Renamed, and another asset may have its name: what that one carries must stay.
    if (asset === null || (asset.assetId !== record.assetId && !isOurs))
      return { outcome: 'missing', joined };
    // The mark of another file, on a copy of its asset, counts revisions of its own.
    if (isOurs && carried.fields.revision > record.revision) {
      const [latest] = await catalog.findStored([id]);
      // A later edit has been pushed since the record was read.
      if (latest?.record.revision !== record.revision) continue;
      const newer = recordFromAsset(withKnown(asset, record), folder, record.source, carried);
      // The next edit here would otherwise be pushed over it. What cannot be saved now is brought in by a sync.
      const saved = newer.id === id ? await catalog.save(newer).catch(() => null) : null;
      return { outcome: 'overtaken', joined: saved === 'updated' ? newer : joined };
    }
    const there = carried?.fields ?? fieldsWithoutMark(asset, record);
    const theirs = editsOnHostOnly(asset, there, record, stored.mergeBase);
    if (Object.keys(theirs).length > 0) {
      const next = withEdits(record, theirs);
      const mergeBase = { revision: next.revision, base: editBase(there), over: there.revision };
      if ((await catalog.saveIf(next, stored, mergeBase)) === 'updated') joined = next;
      continue;
    }
    await host.annotate(record, metadataFor(record, asset, carried, folder), signal);
    written = record.revision;
    await catalog.notePushed(id, written);
  }
  return { outcome: written === 0 ? 'nothing' : 'pushed', joined };
}

/** What the asset is to carry. Another deployment takes our edits for ones that are newer than its own record. */
function metadataFor(
  record: MediaRecord,
  asset: HostAsset,
  carried: Carried | null,
  folder: string,
): HostMetadata {
  const mark = { state: 'committed' } as const;
  if (!isOfAnotherDeployment(asset, carried, record.id))
    return writeHostMetadata({ mark, fields: record, boundTo: bindingIn(record, folder) }, asset);
  const { fields: theirs, boundTo } = carried;
  const edit = { ...pickEditable(record), updatedAt: record.updatedAt, revision: theirs.revision + 1 };
  return writeHostMetadata({ mark, fields: { ...theirs, ...edit }, boundTo }, asset);
}
