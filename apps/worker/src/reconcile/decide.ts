import { encodeContent, type SaveEntry, type StoredRecord } from '@holdfast/shared/catalog';
import { refusalOfArrival } from '@holdfast/shared/direct-uploads';
import {
  atItsPlace,
  bindingOf,
  doctorPrefix,
  editableFields,
  editBase,
  editsOnHostOnly,
  fieldsWithoutMark,
  idFromPublicId,
  isNameless,
  isNumberedTwice,
  isOfAnotherDeployment,
  isOwnId,
  isUnpushed,
  pickEditable,
  recordFromAsset,
  withKnown,
  type Carried,
  type MediaRecord,
  type Side,
} from '@holdfast/shared/media';
import { asTheHostHasIt, isContentChanged, isEdited, isMarkAltered } from './asset-record.js';
import { changes, contentChange, differences, type Difference } from './drift.js';
import { isCovered, pickStored, type PageFacts, type SeenAsset } from './page-facts.js';

/**
 * What is to be done about one asset, and what the report says of it: nothing where both sides agree, or an upload decides.
 * verify: the same on both sides, and not verified yet; push: edited here, and the host does not have it yet; rewrite: the host lost
 * what we wrote there; create: it has no record yet; save: over exactly what was read, or where `expect` is left out by the revisions
 * alone; adopt: sent straight to the host by a client, and accepted: gets the commit mark, then its record; `ticket`: whose file the
 * account renamed.
 */
export type Action = { difference: Difference | null } & (
  | { kind: 'unchanged' | 'left' | 'verify' | 'push' | 'rewrite' }
  | ({ kind: 'create' | 'save' } & SaveEntry)
  | { kind: 'adopt'; carried: Carried }
  | { kind: 'remove'; ticket?: string }
);

const unchanged: Action = { kind: 'unchanged', difference: null };
const verify: Action = { kind: 'verify', difference: null };
const left = (why: keyof typeof differences): Action => ({ kind: 'left', difference: differences[why] });
/** The jobs of an upload decide, or no sync covers it. */
const ignored: Action = { kind: 'left', difference: null };
const unwelcome = { kind: 'remove', difference: differences.unwelcome } as const;
const tombstoned: Action = { kind: 'remove', difference: differences.tombstoned };
const rewrite: Action = { kind: 'rewrite', difference: differences.markLost };

/** One asset, what is to be done about it, and what came of that. */
export interface Step extends SeenAsset {
  action: Action;
  /** The record that was met; null where there is none. */
  stored: StoredRecord | null;
  /** What the report says of it. */
  difference: Difference | null;
  /** The record was missing. */
  restore: boolean;
  /** It was renamed, and its mark does not say yet that it is no copy. */
  bind: boolean;
  /** An index may lag: ask the host for the asset itself before acting. */
  look: boolean;
  /** left to somebody who was faster; failed, and the next run tries again. Set by `applySteps`. */
  outcome: 'done' | 'left' | 'failed';
}

/**
 * Decides from what the host has and what Redis knows: about an asset without a record, `decideNew`; about one that differs from its
 * record, `decideRecorded`. Pure: no calls, changes nothing.
 */
export function decide(seen: SeenAsset, page: PageFacts): Step {
  // Most assets are as their records say, and those are not decoded.
  const expected = page.records.get(seen.fresh.id);
  if (expected !== undefined && saysTheSame(seen, expected))
    return stepOfRecorded({ ...seen, stored: expected, page }, true);
  const stored = pickStored(seen, page);
  if (stored === null) return stepOfNew(seen, page);
  const whole = withKnownFields(seen, stored.record, page.folder);
  return stepOfRecorded({ ...whole, stored, page }, saysTheSame(whole, stored));
}

/** True when the record says what the host says. */
function saysTheSame({ fresh, carried }: SeenAsset, stored: StoredRecord): boolean {
  return (
    stored.id === fresh.id &&
    (carried === null || carried.mark.state === 'committed') &&
    stored.content === encodeContent(fresh)
  );
}

/** With what our record knows and the answer left out. */
function withKnownFields(seen: SeenAsset, known: MediaRecord, folder: string): SeenAsset {
  const asset = withKnown(seen.asset, known);
  const carried = seen.carried && {
    ...seen.carried,
    fields: { ...seen.carried.fields, tags: [...asset.tags] },
  };
  return { asset, carried, fresh: recordFromAsset(asset, folder, known.source, carried) };
}

function stepOfNew(seen: SeenAsset, page: PageFacts): Step {
  const action = decideNew(seen, page);
  const { kind, difference } = action;
  // Under a name of ours and without our mark: a listing that left the mark out would turn our own asset into a foreign one.
  const isBareOfOurs = seen.carried === null && idFromPublicId(page.folder, seen.asset) !== null;
  const look = kind === 'remove' || kind === 'adopt' || (kind === 'create' && isBareOfOurs);
  return { ...seen, stored: null, action, difference, look, restore: false, bind: false, outcome: 'done' };
}

/** An asset without a record: adopted, unless it was deleted or refused here, or is not finished. */
function decideNew(seen: SeenAsset, page: PageFacts): Action {
  const { asset, fresh, carried } = seen;
  // Also where the account shows no context, and so no mark, in its listings.
  if (asset.publicId.startsWith(doctorPrefix(page.folder))) return left('unfinished');
  if (page.withIntent.get(fresh.id) === 'refused') return left('refused');
  if (carried !== null && carried.mark.state !== 'committed') return decideUncommitted(seen, carried, page);
  const markedId = carried?.fields.id ?? fresh.id;
  if (page.tombstoned.has(fresh.id)) {
    // Renamed before it was deleted: the mark says whose it was, and the asset id that it is no copy.
    const isOurs = isOwnId(fresh.id) || (isOwnId(markedId) && page.tombstoned.has(markedId));
    return isOurs ? tombstoned : left('foreignTombstoned');
  }
  // Or under another name, which the account gave it: the upload is about to be refused.
  if (page.withIntent.has(fresh.id) || page.withIntent.has(markedId)) return ignored;
  if (!isCovered(asset.publicId, page)) return ignored;
  const isForeign = fresh.source === 'sync' || fresh.source === 'webhook';
  const difference = isForeign ? differences.foreign : differences.lost;
  return { kind: 'create', record: fresh, expect: 'absent', difference };
}

/** After an upload's own deadline, for a commit mark that was sent before it. Both times are the host's. */
const DEADLINE_GRACE_MS = 15_000;

/** An upload through us that was never acknowledged, or one straight to the host. */
function decideUncommitted({ asset }: SeenAsset, carried: Carried, page: PageFacts): Action {
  const { mark } = carried;
  const { id } = carried.fields;
  if (page.withIntent.has(id)) return left('unfinished');
  // Whatever type the host took it for: that of a ticket is not signed.
  if (idFromPublicId(page.folder, { ...asset, resourceType: 'raw' }) !== id) {
    // The account puts a folder before the name of every upload, so it cannot become a record. Otherwise it belongs to others.
    const isRenamed = page.ticketed.has(id) && asset.publicId.includes(`/${page.folder}/${id}`);
    return isRenamed ? { ...unwelcome, ticket: id } : left('unfinished');
  }
  if (page.tombstoned.has(id)) return tombstoned;
  if (mark.state === 'ticket')
    return refusalOfArrival(asset, mark, page.uploads) === null
      ? { kind: 'adopt', carried, difference: differences.arrived }
      : unwelcome;
  const deadlineSeconds = mark.state === 'started' ? mark.deadlineSeconds : 0;
  const due = Date.parse(asset.uploadedAt) + deadlineSeconds * 1_000 + DEADLINE_GRACE_MS;
  return due < page.hostNowMs
    ? { kind: 'remove', difference: differences.unacknowledged }
    : left('unfinished');
}

/** An asset, the record that we have of it, and what else the decision goes by. */
interface RecordedAsset extends SeenAsset {
  stored: StoredRecord;
  page: PageFacts;
}

function stepOfRecorded(known: RecordedAsset, isSame: boolean): Step {
  const { asset, carried, fresh, stored } = known;
  const action = decideRecorded(known, isSame);
  const acts = action.kind !== 'unchanged' && action.kind !== 'left';
  const restore = stored.status === 'missing' && acts && action.kind !== 'remove';
  // Records of foreign assets follow the host without a look: the next run corrects what a lagging index said. But a name that
  // is not the record's may be the one from before a rename that a notification has reported since.
  const follows =
    action.kind === 'save' &&
    carried === null &&
    asset.publicId === stored.record.publicId &&
    !clears(action.record, stored.record);
  const trustsListing = follows || action.kind === 'verify' || action.kind === 'push';
  // Where both sides are the same, the record need not be decoded.
  const isOtherContent = isContentChanged(asset, isSame ? fresh : stored.record);
  const ownDifference = restore ? differences.cameBack : action.difference;
  return {
    asset,
    fresh,
    carried,
    stored,
    action,
    difference: isOtherContent ? contentChange(asset, stored.record) : ownDifference,
    restore,
    bind: isUnboundRename(known, action),
    look: acts && (restore || !trustsListing),
    outcome: 'done',
  };
}

/** What a listing does not show is taken for none. Before a text or all tags go for it, the asset itself is asked. */
function clears(next: MediaRecord, before: MediaRecord): boolean {
  return editableFields.some((name) => next[name].length === 0 && before[name].length > 0);
}

/** An asset whose record we have; the newer side wins. */
function decideRecorded(known: RecordedAsset, isSame: boolean): Action {
  const { asset, fresh, carried, stored, page } = known;
  if (stored.status === 'deleting') return left('deleting');
  if (isOpen(stored) && page.withIntent.has(stored.id)) return ignored;
  if (isSame) {
    const { pushedRevision } = fresh;
    return pushedRevision > stored.pushedRevision
      ? { kind: 'save', record: { ...stored.record, pushedRevision }, expect: stored, difference: null }
      : verifyIfOpen(stored);
  }
  const { record } = stored;
  const isTicket = carried?.mark.state === 'ticket';
  const hasItsName = asset.publicId === record.publicId;
  // Under another name than the asset of the record, it may take its place once that one is gone.
  const isCopy = stored.status !== 'missing' && !hasItsName;
  if (record.assetId !== asset.assetId && (record.resourceType !== asset.resourceType || isCopy))
    return isTicket ? unwelcome : left('twice');
  if (!isCovered(asset.publicId, page)) return ignored;
  if (carried?.mark.state === 'started') return left('unfinished');
  if (isTicket) {
    // It was used already: only the same bytes take the place of those that are gone.
    const takesItsPlace = (stored.status === 'missing' || hasItsName) && asset.etag === record.checksum.md5;
    return takesItsPlace ? rewrite : unwelcome;
  }
  return carried === null || carried.fields.id !== record.id
    ? decideUnmarked(known)
    : decideByRevision(known, carried);
}

function decideUnmarked(known: RecordedAsset): Action {
  const { asset, carried, stored, page } = known;
  const { record } = stored;
  if (isUnpushed(record)) return push(known);
  const host = recordFromAsset(asset, page.folder, record.source);
  if (isOfAnotherDeployment(asset, carried, record.id)) {
    // Its mark counts the revisions of that deployment.
    const { revision, updatedAt } = record;
    return followed({ ...host, revision, updatedAt, pushedRevision: revision }, stored);
  }
  if (!isOwnId(record.id) && record.revision === 1) return followed(host, stored);
  // Without our mark the record could not be rebuilt.
  const there = fieldsWithoutMark(asset, record);
  if (!isEdited(there, record)) return rewrite;
  return nextRevision(known, pickEditable(there), there);
}

/**
 * The revision that travels with the asset says which side is newer:
 *
 * | the host's        | ours                  | what follows                                                                |
 * | ----------------- | --------------------- | --------------------------------------------------------------------------- |
 * | newer             |                       | the record follows                                                          |
 * | older             | the host had it once  | the mark is written again                                                   |
 * | older, or another | the host lacks it     | fields edited there alone make one more revision; where none was, ours goes |
 * | the same          | fewer or more bytes   | left: the file is damaged                                                   |
 * | the same          | other fields          | edited there: one more revision                                             |
 * | the same          | other facts           | the mark was altered: written again                                         |
 * | the same          | the same              | the record follows what the host says of the asset                          |
 */
function decideByRevision(known: RecordedAsset, { fields }: Carried): Action {
  const { asset, stored } = known;
  const { record } = stored;
  const host = asTheHostHasIt(asset, fields, record);
  const isOlder = host.revision < record.revision;
  if (host.revision > record.revision)
    return { kind: 'save', record: host, difference: changes(record, host) };
  if (isOlder && !isUnpushed(record)) return rewrite;
  if (isOlder || (isUnpushed(record) && isNumberedTwice(host, record))) {
    const edits = editsOnHostOnly(asset, host, record, stored.mergeBase);
    return Object.keys(edits).length === 0 ? push(known) : nextRevision(known, edits, host);
  }
  // Once the record has followed it, the size alone does not show a damaged file any more.
  if (isContentChanged(asset, record) && asset.etag === record.checksum.md5) return left('damaged');
  if (isEdited(host, record)) return nextRevision(known, host, host);
  return isMarkAltered(fields, record) ? rewrite : followed(host, stored);
}

/** The push asks the record where the asset is, so that comes first; what is saved and not yet pushed is pushed after it. */
function push({ asset, stored }: RecordedAsset): Action {
  const record = atItsPlace(asset, stored.record);
  return record === stored.record
    ? { kind: 'push', difference: differences.editedHere }
    : save(record, stored);
}

/** Our record with the host's edits, as of `host`. The host gets the new revision too, so that a rebuild gives the same. */
function nextRevision(known: RecordedAsset, edits: Partial<MediaRecord>, host: Side): Action {
  const { asset, stored, page } = known;
  const revision = stored.record.revision + 1;
  const updatedAt = new Date(page.nowMs).toISOString();
  const mergeBase = { revision, base: editBase(host), over: host.revision };
  return save({ ...atItsPlace(asset, stored.record), ...edits, revision, updatedAt }, stored, { mergeBase });
}

/** The same revision with what the host says about the asset. */
function followed(record: MediaRecord, stored: StoredRecord): Action {
  const content = encodeContent(record);
  return content === stored.content ? verifyIfOpen(stored) : save(record, stored, { content });
}

function save(record: MediaRecord, stored: StoredRecord, also: Partial<SaveEntry> = {}): Action {
  return { kind: 'save', ...also, record, expect: stored, difference: changes(stored.record, record) };
}

/** What the catalog has already: verified where that is not done yet, or where it was missing. */
function verifyIfOpen(stored: StoredRecord): Action {
  return isOpen(stored) || stored.status === 'missing' ? verify : unchanged;
}

/** The record is not verified yet, or verifying it failed: the cause may be over. */
export function isOpen({ status }: Pick<StoredRecord, 'status'>): boolean {
  return status === 'saving' || status === 'deferred' || status === 'failed';
}

/** After these steps, unless an edit is on its way, the host has all that the record says. */
const leavesTheMark: ReadonlySet<Action['kind']> = new Set(['save', 'verify', 'unchanged']);

/**
 * Whether the asset is the one of our record under a name that does not show it. From the host alone, after Redis was wiped,
 * it could not be distinguished from a copy, and would come back under another id.
 */
function isUnboundRename(known: RecordedAsset, action: Action): boolean {
  const { asset, carried, stored, page } = known;
  return (
    carried?.mark.state === 'committed' &&
    carried.fields.id === stored.id &&
    isNameless(asset, stored.id, page.folder) &&
    carried.boundTo !== bindingOf(page.folder, asset.assetId) &&
    leavesTheMark.has(action.kind) &&
    stored.record.assetId === asset.assetId &&
    !isUnpushed(stored.record) &&
    !(action.kind === 'save' && isUnpushed(action.record))
  );
}
