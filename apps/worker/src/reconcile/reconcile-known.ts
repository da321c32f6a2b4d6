import { encodeContent, readDuration, readTags, type StoredRecord } from '@holdfast/shared/catalog';
import {
  editBase,
  editsOnHostOnly,
  fieldsWithoutMark,
  isOfAnotherDeployment,
  isNumberedTwice,
  isOwnId,
  isSameTags,
  isUnpushed,
  type Carried,
  type MediaRecord,
  type Side,
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
} from './asset-record.js';
import { isCovered, isOpen, type Action, type AssetMarks, type ReconcileRules } from './reconcile-step.js';
import type { Sighting } from './sighting.js';

/** True when the record says what the host says. Most are, so this alone is done without decoding the record. */
export function saysTheSame({ asset, fresh, carried }: Sighting, stored: StoredRecord): boolean {
  if (stored.id !== fresh.id || !isCommittedOrForeign(carried)) return false;
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

function isCommittedOrForeign(carried: Carried | null): boolean {
  return carried === null || carried.mark.state === 'committed';
}

/** An asset with the record that we have of it, and what the decision about it goes by. */
export interface KnownAsset {
  sighting: Sighting;
  stored: StoredRecord;
  /** As `saysTheSame` has it. */
  isSame: boolean;
  marks: AssetMarks;
  rules: ReconcileRules;
}

/** What becomes of an asset whose record we have; the newer side wins. */
export function withRecord(known: KnownAsset): Action {
  const { sighting, stored, isSame, marks, rules } = known;
  const { asset, carried } = sighting;
  if (stored.status === 'deleting') return { kind: 'left', why: 'deleting' };
  if (isOpen(stored) && marks.inHand.has(stored.id)) return { kind: 'left', why: 'in hand' };
  if (isSame) return whereTheSame(sighting, stored);
  const { record } = stored;
  if (isAnother(asset, record) && (record.resourceType !== asset.resourceType || isCopy(asset, stored)))
    return carried?.mark.state === 'ticket'
      ? { kind: 'remove', why: 'unwelcome' }
      : { kind: 'left', why: 'twice' };
  if (!isCovered(asset.publicId, rules)) return { kind: 'left', why: 'outside' };
  if (carried?.mark.state === 'started') return { kind: 'left', why: 'unfinished' };
  if (carried?.mark.state === 'ticket') return sentAgain(asset, stored);
  if (carried === null || carried.fields.id !== record.id) return withoutOurMark(known);
  return byRevision(known, carried);
}

function isAnother(asset: HostAsset, record: MediaRecord): boolean {
  return record.assetId !== asset.assetId;
}

/** Under another name than the asset of the record: it may take its place once that one is gone. */
function isCopy(asset: HostAsset, { status, record }: StoredRecord): boolean {
  return status !== 'missing' && asset.publicId !== record.publicId;
}

function whereTheSame({ fresh }: Sighting, stored: StoredRecord): Action {
  const { pushedRevision } = fresh;
  if (pushedRevision > stored.pushedRevision)
    return { kind: 'save', record: { ...stored.record, pushedRevision }, expect: stored };
  return provenAnew(stored);
}

/** What the catalog has already: to be verified where nobody has, or where it was missing. */
function provenAnew(stored: StoredRecord): Action {
  return isOpen(stored) || stored.status === 'missing'
    ? { kind: 'verify', record: stored.record }
    : { kind: 'unchanged' };
}

/** Under a ticket that was used already: only the same bytes take the place of those that are gone. */
function sentAgain(asset: HostAsset, { status, record }: StoredRecord): Action {
  const isGone = status === 'missing' || asset.publicId === record.publicId;
  return isGone && asset.etag === record.checksum.md5
    ? rewrite(asset, record)
    : { kind: 'remove', why: 'unwelcome' };
}

function withoutOurMark({ sighting: { asset, carried }, stored, rules }: KnownAsset): Action {
  const { record } = stored;
  if (isUnpushed(record)) return push(asset, stored);
  const host = foreignRecord(asset, rules.folder, record);
  if (isOfAnotherDeployment(asset, carried, record.id)) return followed(atOurRevision(host, record), stored);
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

/** Its mark counts the revisions of another deployment. */
function atOurRevision(host: MediaRecord, { revision, updatedAt }: MediaRecord): MediaRecord {
  return { ...host, revision, updatedAt, pushedRevision: revision };
}

/** The revision that travels with the asset tells which side is newer. */
function byRevision({ sighting: { asset }, stored, marks, rules }: KnownAsset, carried: Carried): Action {
  const { record } = stored;
  const host = asTheHostHasIt(asset, carried.fields, record);
  if (host.revision > record.revision) return { kind: 'save', record: host, expect: null };
  if (host.revision < record.revision && !isUnpushed(record)) return rewrite(asset, record);
  if (host.revision < record.revision || (isUnpushed(record) && isNumberedTwice(host, record))) {
    const edits = editsOnHostOnly(asset, host, record, marks.takenIn.get(record.id) ?? null);
    return Object.keys(edits).length === 0
      ? push(asset, stored)
      : nextRevision(stored, { ...atItsPlace(asset, record), ...edits }, host, rules);
  }
  // The size alone cannot be told from a damaged file once the record has followed it.
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
    takenIn: { revision, base: editBase(host), over: host.revision },
    record: {
      ...record,
      ...edits,
      revision,
      updatedAt: new Date(nowMs).toISOString(),
    },
  };
}

/** The same revision with what the host tells about the asset. */
function followed(host: MediaRecord, stored: StoredRecord): Action {
  if (encodeContent(host) !== stored.content) return { kind: 'save', record: host, expect: stored };
  return provenAnew(stored);
}
