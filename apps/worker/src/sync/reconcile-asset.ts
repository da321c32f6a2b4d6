import { encodeContent, type StoredRecord } from '@holdfast/shared/catalog';
import {
  idFromPublicId,
  isOwnId,
  readHostMetadata,
  recordFromAsset,
  type Carried,
  type MediaRecord,
} from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import {
  asTheHostHasIt,
  candidateIds,
  foreignRecord,
  isContentChanged,
  isEdited,
  pickStored,
} from './asset-record.js';

/** What Redis knows besides records. */
export interface AssetMarks {
  /** Deleted here. */
  tombstoned: ReadonlySet<string>;
  /** Being uploaded or verified: the jobs of the upload have the say. */
  inHand: ReadonlySet<string>;
  /** Public ids, with their type, of refused uploads that wait for their removal. */
  refused: ReadonlySet<string>;
}

export interface ReconcileRules {
  folder: string;
  syncPrefix: string;
  nowMs: number;
}

/** What is to be done about one asset. */
export type Action =
  | { kind: 'unchanged' }
  | { kind: 'left'; why: LeftWhy }
  | { kind: 'create'; record: MediaRecord }
  /** Over exactly this revision, or where `expect` is null by the revisions alone. */
  | { kind: 'save'; record: MediaRecord; expect: number | null }
  /** Edited here, and the host does not have it yet. */
  | { kind: 'push'; record: MediaRecord }
  /** The host lost what we wrote there. */
  | { kind: 'rewrite'; record: MediaRecord }
  /** The same, and nobody has verified it. */
  | { kind: 'verify'; record: MediaRecord }
  | { kind: 'remove'; why: 'tombstoned' | 'unfinished' };

export type LeftWhy =
  'deleting' | 'in hand' | 'refused' | 'unfinished' | 'outside' | 'deleted here' | 'twice' | 'damaged';

export interface Step {
  asset: HostAsset;
  action: Action;
  /** Number of the record that was met; null where there is none. */
  sequence: number | null;
  /** The record was missing. */
  restore: boolean;
  contentChanged: boolean;
  /** An index may lag: ask the host for the asset itself before acting. */
  look: boolean;
}

/** Grace after an upload's own deadline, and how far our clock and the host's may be apart. */
const DEADLINE_GRACE_MS = 15_000 + 60_000;

/** The public id together with its type. */
export function placeOf({ resourceType, publicId }: Pick<HostAsset, 'resourceType' | 'publicId'>): string {
  return `${resourceType}:${publicId}`;
}

/** The ids to read before an asset can be judged. */
export function idsOf(asset: HostAsset, folder: string): string[] {
  return candidateIds(asset, recordFromAsset(asset, folder, 'sync'), readHostMetadata(asset), folder);
}

/** Decides from what the host has and what we have; changes nothing. */
export function reconcileAsset(
  asset: HostAsset,
  records: ReadonlyMap<string, StoredRecord>,
  marks: AssetMarks,
  rules: ReconcileRules,
): Step {
  const fresh = recordFromAsset(asset, rules.folder, 'sync');
  const carried = readHostMetadata(asset);
  const found = candidateIds(asset, fresh, carried, rules.folder).flatMap((id) => records.get(id) ?? []);
  const stored = pickStored(asset, found, fresh.id);
  const none = { asset, sequence: null, restore: false, contentChanged: false };
  if (stored === null) {
    const action = withoutRecord(asset, fresh, carried, marks, rules);
    return { ...none, action, look: action.kind === 'remove' };
  }
  const { record } = stored;
  const restore = record.status === 'missing';
  const action = withRecord(asset, fresh, carried, stored, marks, rules);
  const settled = action.kind === 'unchanged' && restore ? ({ kind: 'verify', record } as const) : action;
  const acts = settled.kind !== 'unchanged' && settled.kind !== 'left';
  // Records of foreign assets follow the host without a question: the next run mends what a lagging index told.
  const follows = settled.kind === 'save' && carried === null;
  return {
    asset,
    action: settled,
    sequence: stored.sequence,
    restore: restore && settled.kind !== 'left',
    contentChanged: isContentChanged(asset, record),
    look: acts && (restore || !(follows || settled.kind === 'verify' || settled.kind === 'push')),
  };
}

function withoutRecord(
  asset: HostAsset,
  fresh: MediaRecord,
  carried: Carried | null,
  marks: AssetMarks,
  rules: ReconcileRules,
): Action {
  if (marks.refused.has(placeOf(asset))) return { kind: 'left', why: 'refused' };
  if (carried?.mark.state === 'started') {
    const { id } = carried.fields;
    const ours = idFromPublicId(rules.folder, asset.publicId) === id;
    if (!ours || marks.inHand.has(id)) return { kind: 'left', why: 'unfinished' };
    if (marks.tombstoned.has(id)) return { kind: 'remove', why: 'tombstoned' };
    const due = Date.parse(asset.uploadedAt) + carried.mark.deadlineSeconds * 1_000 + DEADLINE_GRACE_MS;
    return due < rules.nowMs ? { kind: 'remove', why: 'unfinished' } : { kind: 'left', why: 'unfinished' };
  }
  if (marks.tombstoned.has(fresh.id))
    return isOwnId(fresh.id) ? { kind: 'remove', why: 'tombstoned' } : { kind: 'left', why: 'deleted here' };
  if (marks.inHand.has(fresh.id)) return { kind: 'left', why: 'in hand' };
  return isCovered(asset.publicId, rules)
    ? { kind: 'create', record: fresh }
    : { kind: 'left', why: 'outside' };
}

function withRecord(
  asset: HostAsset,
  fresh: MediaRecord,
  carried: Carried | null,
  { record, content }: StoredRecord,
  marks: AssetMarks,
  rules: ReconcileRules,
): Action {
  if (record.status === 'deleting') return { kind: 'left', why: 'deleting' };
  const open = record.status === 'saving' || record.status === 'deferred';
  if (open && marks.inHand.has(record.id)) return { kind: 'left', why: 'in hand' };
  if (record.assetId !== asset.assetId && record.resourceType !== asset.resourceType)
    return { kind: 'left', why: 'twice' };
  if (encodeContent(fresh) === content && fresh.id === record.id && carried?.mark.state !== 'started') {
    if (fresh.pushedRevision > record.pushedRevision)
      return { kind: 'save', record: fresh, expect: record.revision };
    return open ? { kind: 'verify', record } : { kind: 'unchanged' };
  }
  if (!isCovered(asset.publicId, rules)) return { kind: 'left', why: 'outside' };
  if (carried?.mark.state === 'started') return { kind: 'left', why: 'unfinished' };
  if (carried === null || carried.fields.id !== record.id) {
    if (record.pushedRevision < record.revision) return { kind: 'push', record };
    // Without our mark the record could not be rebuilt.
    if (isOwnId(record.id) || record.revision > 1) return { kind: 'rewrite', record };
    return followed(foreignRecord(asset, rules.folder, record), record, content, open);
  }
  return byRevision(asset, fresh, carried, { record, content }, open, rules);
}

/** The revision that travels with the asset tells which side is newer. */
function byRevision(
  asset: HostAsset,
  fresh: MediaRecord,
  carried: Carried,
  { record, content }: Pick<StoredRecord, 'record' | 'content'>,
  open: boolean,
  rules: ReconcileRules,
): Action {
  const host = asTheHostHasIt(asset, fresh, carried.fields, record);
  if (host.revision > record.revision) return { kind: 'save', record: host, expect: null };
  if (host.revision < record.revision)
    return { kind: record.pushedRevision < record.revision ? 'push' : 'rewrite', record };
  // The size alone cannot be told from a damaged file once the record has followed it.
  if (isContentChanged(asset, record) && asset.etag === record.checksum.md5)
    return { kind: 'left', why: 'damaged' };
  if (!isEdited(host, record)) return followed(host, record, content, open);
  return {
    kind: 'save',
    expect: record.revision,
    record: {
      ...host,
      revision: record.revision + 1,
      pushedRevision: record.revision,
      updatedAt: new Date(rules.nowMs).toISOString(),
    },
  };
}

/** The same revision with what the host tells about the asset. */
function followed(host: MediaRecord, record: MediaRecord, content: string, open: boolean): Action {
  if (encodeContent(host) !== content) return { kind: 'save', record: host, expect: record.revision };
  return open ? { kind: 'verify', record } : { kind: 'unchanged' };
}

/** Whether a sync takes care of this asset; our own folder always. */
export function isCovered(
  publicId: string,
  { folder, syncPrefix }: Pick<ReconcileRules, 'folder' | 'syncPrefix'>,
): boolean {
  return syncPrefix === '' || publicId.startsWith(syncPrefix) || publicId.startsWith(`${folder}/`);
}
