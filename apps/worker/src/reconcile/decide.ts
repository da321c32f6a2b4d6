import { encodeContent, readDuration, readTags, type StoredRecord } from '@holdfast/shared/catalog';
import { judgeArrival } from '@holdfast/shared/direct-uploads';
import {
  bindingOf,
  doctorRunOf,
  editBase,
  editsOnHostOnly,
  fieldsWithoutMark,
  idFromPublicId,
  isNumberedTwice,
  isOfAnotherDeployment,
  isOwnId,
  isSameTags,
  isUnpushed,
  recordFromAsset,
  withKnown,
  type Carried,
  type MediaRecord,
  type Side,
  type MergeBase,
} from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import {
  asTheHostHasIt,
  atItsPlace,
  editsWithoutMark,
  foreignRecord,
  isAtItsPlace,
  isContentChanged,
  isEdited,
  isMarkAltered,
  isNameless,
  pickStored,
} from './asset-record.js';
import {
  isCovered,
  typedPublicId,
  type AssetMarks,
  type PageFacts,
  type ReconcileRules,
  type SeenAsset,
} from './page-facts.js';

/** What is to be done about one asset. */
export type Action =
  | { kind: 'unchanged' }
  | { kind: 'left'; why: LeftWhy }
  | { kind: 'create'; record: MediaRecord }
  /** Sent straight to the host by a client, and accepted: gets the commit mark, then its record. */
  | { kind: 'adopt'; record: MediaRecord; carried: Carried }
  /** Over exactly what was read, or where `expect` is null by the revisions alone; with edits that the host has. */
  | { kind: 'save'; record: MediaRecord; expect: StoredRecord | null; mergeBase?: MergeBase }
  /** Edited here, and the host does not have it yet. */
  | { kind: 'push'; record: MediaRecord }
  /** The host lost what we wrote there. */
  | { kind: 'rewrite'; record: MediaRecord }
  /** The same on both sides, and not verified yet. */
  | { kind: 'verify'; record: MediaRecord }
  /** `ticket`: whose file the account renamed. */
  | { kind: 'remove'; why: 'tombstoned' | 'unfinished' | 'rejected'; ticket?: string };

export type LeftWhy =
  'deleting' | 'unsettled' | 'refused' | 'unfinished' | 'outside' | 'deleted here' | 'twice' | 'damaged';

export interface Step {
  asset: HostAsset;
  action: Action;
  /** Of the record that there is, or would be. */
  id: string;
  /** The record that was met; null where there is none. */
  stored: StoredRecord | null;
  /** The record was missing. */
  restore: boolean;
  contentChanged: boolean;
  /** It was renamed, and its mark does not say yet that it is no copy. */
  bind: boolean;
  /** An index may lag: ask the host for the asset itself before acting. */
  look: boolean;
}

/** Decides from what the host has and what Redis knows. Pure: no calls, changes nothing. */
export function decide(seen: SeenAsset, { records, marks }: PageFacts, rules: ReconcileRules): Step {
  const expected = records.get(seen.fresh.id);
  const isSameAtOnce = expected !== undefined && saysTheSame(seen, expected);
  const stored = isSameAtOnce ? expected : pickStored(seen.asset, seen.ids, records, seen.fresh.id);
  if (stored === null) {
    const { asset, fresh, carried } = seen;
    const action = withoutRecord(seen, marks, rules);
    // Under a name of ours and without our mark: a listing that left it out would make a foreign media of our own.
    const isBareOfOurs = carried === null && idFromPublicId(rules.folder, asset) !== null;
    const look =
      action.kind === 'remove' || action.kind === 'adopt' || (action.kind === 'create' && isBareOfOurs);
    return { asset, action, id: fresh.id, stored, restore: false, contentChanged: false, bind: false, look };
  }
  const whole = isSameAtOnce ? seen : withKnownFields(seen, stored.record, rules.folder);
  const { asset, fresh, carried } = whole;
  const isSame = isSameAtOnce || saysTheSame(whole, stored);
  const action = withRecord({ seen: whole, stored, isSame, marks, rules });
  const acts = action.kind !== 'unchanged' && action.kind !== 'left';
  const restore = stored.status === 'missing' && acts && action.kind !== 'remove';
  // Records of foreign assets follow the host without a look: the next run corrects what a lagging index said. But a name that
  // is not the record's may be the one from before a rename that a notification has reported since.
  const follows =
    action.kind === 'save' &&
    carried === null &&
    asset.publicId === stored.record.publicId &&
    !clears(action.record, stored.record);
  return {
    asset,
    action,
    id: stored.id,
    stored,
    restore,
    bind: isUnboundRename(whole, stored, action, rules),
    contentChanged: isContentChanged(asset, isSame ? fresh : stored.record),
    look: acts && (restore || !(follows || action.kind === 'verify' || action.kind === 'push')),
  };
}

/** With what our record knows and the answer left out. */
function withKnownFields(
  { asset: shown, carried: read, ids }: SeenAsset,
  known: MediaRecord,
  folder: string,
): SeenAsset {
  const asset = withKnown(shown, known);
  const carried = read === null ? null : { ...read, fields: { ...read.fields, tags: [...asset.tags] } };
  return { asset, carried, ids, fresh: recordFromAsset(asset, folder, known.source, carried) };
}

/** What a listing does not show is taken for none. Before a text or all tags go for it, the asset itself is asked. */
function clears(next: MediaRecord, before: MediaRecord): boolean {
  return (['title', 'description', 'category', 'tags'] as const).some(
    (name) => next[name].length === 0 && before[name].length > 0,
  );
}

/** The record is not verified yet, or verifying it failed: the cause may be over. */
export function isOpen({ status }: Pick<StoredRecord, 'status'>): boolean {
  return status === 'saving' || status === 'deferred' || status === 'failed';
}

/** True when the record says what the host says. Most do, so this alone is done without decoding the record. */
function saysTheSame({ asset, fresh, carried }: SeenAsset, stored: StoredRecord): boolean {
  if (stored.id !== fresh.id || (carried !== null && carried.mark.state !== 'committed')) return false;
  const timed = withKnownDuration(asset, fresh, stored);
  if (stored.content === encodeContent(timed)) return true;
  const sorted = withKnownOrder(timed, stored);
  return sorted !== null && stored.content === encodeContent(sorted);
}

/** Listings never show how long a video is, so that alone must not cost the decoding of a record. */
function withKnownDuration(asset: HostAsset, fresh: MediaRecord, { content }: StoredRecord): MediaRecord {
  if (asset.resourceType !== 'video' || asset.durationSeconds !== undefined) return fresh;
  return { ...fresh, durationSeconds: readDuration(content) ?? fresh.durationSeconds };
}

/** Nor must an order of the host's own; null where it is not what differs. */
function withKnownOrder(fresh: MediaRecord, { content }: StoredRecord): MediaRecord | null {
  if (fresh.tags.length < 2) return null;
  const tags = readTags(content);
  return isSameTags(fresh.tags, tags) ? { ...fresh, tags } : null;
}

/** After an upload's own deadline, for a commit mark that was sent before it. Both times are the host's. */
const DEADLINE_GRACE_MS = 15_000;

/** An asset without a record: adopted, unless it was deleted or refused here, or is not finished. */
function withoutRecord(
  { asset, fresh, carried }: SeenAsset,
  marks: AssetMarks,
  rules: ReconcileRules,
): Action {
  // Also where the account shows no context, and so no mark, in its listings.
  if (doctorRunOf(rules.folder, asset.publicId) !== null) return { kind: 'left', why: 'unfinished' };
  if (marks.refused.has(typedPublicId(asset))) return { kind: 'left', why: 'refused' };
  if (carried !== null && carried.mark.state !== 'committed')
    return withoutCommitMark(asset, fresh, carried, marks, rules);
  if (marks.tombstoned.has(fresh.id)) {
    // Renamed before it was deleted: the mark says whose it was, and the asset id that it is no copy.
    const renamed = carried !== null && isOwnId(carried.fields.id) && marks.tombstoned.has(carried.fields.id);
    return isOwnId(fresh.id) || renamed
      ? { kind: 'remove', why: 'tombstoned' }
      : { kind: 'left', why: 'deleted here' };
  }
  // Or under another name, which the account gave it: the upload is about to be refused.
  if (marks.withIntent.has(fresh.id) || (carried !== null && marks.withIntent.has(carried.fields.id)))
    return { kind: 'left', why: 'unsettled' };
  return isCovered(asset.publicId, rules)
    ? { kind: 'create', record: fresh }
    : { kind: 'left', why: 'outside' };
}

/** An upload through us that was never acknowledged, or one straight to the host. */
function withoutCommitMark(
  asset: HostAsset,
  fresh: MediaRecord,
  carried: Carried,
  marks: AssetMarks,
  rules: ReconcileRules,
): Action {
  const { id } = carried.fields;
  const { mark } = carried;
  if (marks.withIntent.has(id)) return { kind: 'left', why: 'unfinished' };
  // Whatever type the host took it for: that of a ticket is not signed.
  if (idFromPublicId(rules.folder, { ...asset, resourceType: 'raw' }) !== id) {
    // The account puts a folder before the name of every upload, so it cannot become a record. Otherwise it belongs to others.
    return marks.ticketed.has(id) && asset.publicId.includes(`/${rules.folder}/${id}`)
      ? { kind: 'remove', why: 'rejected', ticket: id }
      : { kind: 'left', why: 'unfinished' };
  }
  if (marks.tombstoned.has(id)) return { kind: 'remove', why: 'tombstoned' };
  if (mark.state === 'ticket')
    return judgeArrival(asset, mark, rules.uploads) === 'accepted'
      ? { kind: 'adopt', record: fresh, carried }
      : { kind: 'remove', why: 'rejected' };
  const deadlineSeconds = mark.state === 'started' ? mark.deadlineSeconds : 0;
  const due = Date.parse(asset.uploadedAt) + deadlineSeconds * 1_000 + DEADLINE_GRACE_MS;
  return due < rules.hostNowMs ? { kind: 'remove', why: 'unfinished' } : { kind: 'left', why: 'unfinished' };
}

/** An asset with the record that we have of it, and what the decision about it goes by. */
interface KnownAsset {
  seen: SeenAsset;
  stored: StoredRecord;
  /** As `saysTheSame` has it. */
  isSame: boolean;
  marks: AssetMarks;
  rules: ReconcileRules;
}

/** An asset whose record we have; the newer side wins. */
function withRecord(known: KnownAsset): Action {
  const { seen, stored, isSame, marks, rules } = known;
  const { asset, carried } = seen;
  if (stored.status === 'deleting') return { kind: 'left', why: 'deleting' };
  if (isOpen(stored) && marks.withIntent.has(stored.id)) return { kind: 'left', why: 'unsettled' };
  if (isSame) return whereTheSame(seen, stored);
  const { record } = stored;
  // Under another name than the asset of the record, it may take its place once that one is gone.
  const isCopy = stored.status !== 'missing' && asset.publicId !== record.publicId;
  if (record.assetId !== asset.assetId && (record.resourceType !== asset.resourceType || isCopy))
    return carried?.mark.state === 'ticket'
      ? { kind: 'remove', why: 'rejected' }
      : { kind: 'left', why: 'twice' };
  if (!isCovered(asset.publicId, rules)) return { kind: 'left', why: 'outside' };
  if (carried?.mark.state === 'started') return { kind: 'left', why: 'unfinished' };
  if (carried?.mark.state === 'ticket') return sentAgain(asset, stored);
  if (carried === null || carried.fields.id !== record.id) return withoutOurMark(known);
  return byRevision(known, carried);
}

function whereTheSame({ fresh }: SeenAsset, stored: StoredRecord): Action {
  const { pushedRevision } = fresh;
  if (pushedRevision > stored.pushedRevision)
    return { kind: 'save', record: { ...stored.record, pushedRevision }, expect: stored };
  return verifyIfOpen(stored);
}

/** What the catalog has already: verified where that is not done yet, or where it was missing. */
function verifyIfOpen(stored: StoredRecord): Action {
  return isOpen(stored) || stored.status === 'missing'
    ? { kind: 'verify', record: stored.record }
    : { kind: 'unchanged' };
}

/** Under a ticket that was used already: only the same bytes take the place of those that are gone. */
function sentAgain(asset: HostAsset, { status, record }: StoredRecord): Action {
  const isGone = status === 'missing' || asset.publicId === record.publicId;
  return isGone && asset.etag === record.checksum.md5
    ? rewrite(asset, record)
    : { kind: 'remove', why: 'rejected' };
}

function withoutOurMark({ seen: { asset, carried }, stored, rules }: KnownAsset): Action {
  const { record } = stored;
  if (isUnpushed(record)) return push(asset, stored);
  const host = foreignRecord(asset, rules.folder, record);
  if (isOfAnotherDeployment(asset, carried, record.id)) {
    // Its mark counts the revisions of that deployment.
    const { revision, updatedAt } = record;
    return followed({ ...host, revision, updatedAt, pushedRevision: revision }, stored);
  }
  if (!isOwnId(record.id) && record.revision === 1) return followed(host, stored);
  // Without our mark the record could not be rebuilt.
  const edits = editsWithoutMark(asset, record);
  return Object.keys(edits).length === 0
    ? rewrite(asset, record)
    : nextRevision(
        stored,
        { ...atItsPlace(asset, record), ...edits },
        fieldsWithoutMark(asset, record),
        rules,
      );
}

/** The revision that travels with the asset says which side is newer. */
function byRevision({ seen: { asset }, stored, marks, rules }: KnownAsset, carried: Carried): Action {
  const { record } = stored;
  const host = asTheHostHasIt(asset, carried.fields, record);
  if (host.revision > record.revision) return { kind: 'save', record: host, expect: null };
  if (host.revision < record.revision && !isUnpushed(record)) return rewrite(asset, record);
  if (host.revision < record.revision || (isUnpushed(record) && isNumberedTwice(host, record))) {
    const edits = editsOnHostOnly(asset, host, record, marks.mergeBases.get(record.id) ?? null);
    return Object.keys(edits).length === 0
      ? push(asset, stored)
      : nextRevision(stored, { ...atItsPlace(asset, record), ...edits }, host, rules);
  }
  // Once the record has followed it, the size alone does not show a damaged file any more.
  if (isContentChanged(asset, record) && asset.etag === record.checksum.md5)
    return { kind: 'left', why: 'damaged' };
  if (isEdited(host, record)) return nextRevision(stored, host, host, rules);
  return isMarkAltered(carried.fields, record) ? rewrite(asset, record) : followed(host, stored);
}

/** The push asks the record where the asset is, so that comes first; what is saved and not yet pushed is pushed after it. */
function push(asset: HostAsset, stored: StoredRecord): Action {
  const { record } = stored;
  return isAtItsPlace(asset, record)
    ? { kind: 'push', record }
    : { kind: 'save', record: atItsPlace(asset, record), expect: stored };
}

/** The mark first: with it the asset is known again, and its new place comes into the record when it is next seen. */
function rewrite(asset: HostAsset, record: MediaRecord): Action {
  return { kind: 'rewrite', record: atItsPlace(asset, record) };
}

/** Our record with the host's edits, as of `host`. The host gets the new revision too, so that a rebuild gives the same. */
function nextRevision(
  stored: StoredRecord,
  edits: Partial<MediaRecord>,
  host: Side,
  { nowMs }: ReconcileRules,
): Action {
  const { record } = stored;
  const revision = record.revision + 1;
  return {
    kind: 'save',
    expect: stored,
    mergeBase: { revision, base: editBase(host), over: host.revision },
    record: { ...record, ...edits, revision, updatedAt: new Date(nowMs).toISOString() },
  };
}

/** The same revision with what the host says about the asset. */
function followed(host: MediaRecord, stored: StoredRecord): Action {
  if (encodeContent(host) !== stored.content) return { kind: 'save', record: host, expect: stored };
  return verifyIfOpen(stored);
}

/** After these steps, unless an edit is on its way, the host has all that the record says. */
const leavesTheMark: ReadonlySet<Action['kind']> = new Set(['save', 'verify', 'unchanged']);

/**
 * Whether the asset is the one of our record under a name that does not show it. From the host alone, after Redis was wiped,
 * it could not be distinguished from a copy, and would come back under another id.
 */
function isUnboundRename(
  { asset, carried }: SeenAsset,
  stored: StoredRecord,
  action: Action,
  { folder }: ReconcileRules,
): boolean {
  return (
    carried !== null &&
    carried.mark.state === 'committed' &&
    carried.fields.id === stored.id &&
    isNameless(asset, stored.id, folder) &&
    carried.boundTo !== bindingOf(folder, asset.assetId) &&
    leavesTheMark.has(action.kind) &&
    stored.record.assetId === asset.assetId &&
    !isUnpushed(stored.record) &&
    !(action.kind === 'save' && isUnpushed(action.record))
  );
}
