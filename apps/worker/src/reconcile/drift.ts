import { encodeContent, type StoredRecord } from '@holdfast/shared/catalog';
import type { MediaRecord } from '@holdfast/shared/media';
import type { DriftItem } from '@holdfast/shared/sync';
import { isEdited } from './asset-record.js';
import type { Action, LeftWhy, Step } from './decide.js';

type Found = Pick<DriftItem, 'code' | 'detail' | 'action'>;

/** What was different about an asset, and what is done about it; null where both sides agree, or an upload decides. */
export function driftOfStep(step: Step): DriftItem | null {
  const { asset, stored, id } = step;
  const found = stored === null ? withoutRecord(step.action) : besideRecord(step, stored);
  if (found === null) return null;
  const { publicId, assetId } = asset;
  return { kind: stored === null ? 'host-only' : 'different', id, publicId, assetId, ...found };
}

function withoutRecord(action: Action): Found | null {
  if (action.kind === 'create') {
    const { source } = action.record;
    const isForeign = source === 'sync' || source === 'webhook';
    const detail = isForeign ? 'put on the host by others' : 'uploaded through Holdfast; its record was gone';
    return { code: 'NOT_IN_CATALOG', action: 'created', detail };
  }
  if (action.kind === 'adopt')
    return {
      code: 'DIRECT_UPLOAD',
      action: 'created',
      detail: 'uploaded straight to the host, and never completed',
    };
  return removedOrLeft(action);
}

function besideRecord({ action, asset, restore, contentChanged }: Step, stored: StoredRecord): Found | null {
  const usual = byAction(action, stored);
  if (contentChanged) {
    const { bytes, checksum } = stored.record;
    const is = `${String(asset.bytes)} bytes, MD5 ${asset.etag ?? 'unknown'}`;
    // The size of a record follows the host once it is seen, and says nothing of what was uploaded then. The checksum does not.
    const was = `${asset.bytes === bytes ? '' : `${String(bytes)} bytes, `}MD5 ${checksum.md5 ?? 'unknown'}`;
    return {
      code: 'CONTENT_CHANGED',
      action: restore ? 'restored' : (usual?.action ?? 'left'),
      detail: `${is}; was ${was}`,
    };
  }
  return restore && action.kind !== 'remove'
    ? {
        code: 'CAME_BACK',
        action: 'restored',
        detail: 'the record was missing, and the host has the asset again',
      }
    : usual;
}

/** Most records are as they should be, and those are not decoded. */
function byAction(action: Action, stored: StoredRecord): Found | null {
  if (action.kind === 'save') {
    if (encodeContent(action.record) === stored.content) return null;
    const code = isEdited(action.record, stored.record) ? 'EDITED_ON_HOST' : 'CHANGED_ON_HOST';
    return { code, action: 'updated', detail: changes(stored.record, action.record) };
  }
  if (action.kind === 'push') {
    const detail = `the host does not have revision ${String(stored.record.revision)} yet`;
    return { code: 'EDITED_HERE', action: 'push-queued', detail };
  }
  if (action.kind === 'rewrite') {
    const detail = 'the host had lost what we keep beside the bytes';
    return { code: 'MARK_LOST', action: 'rewritten', detail };
  }
  return removedOrLeft(action);
}

function removedOrLeft(action: Action): Found | null {
  if (action.kind === 'remove') return { ...removals[action.why], action: 'removed' };
  if (action.kind !== 'left') return null;
  const reason = leftReasons[action.why];
  return reason && { ...reason, action: 'left' };
}

const removals = {
  tombstoned: { code: 'DELETED_HERE', detail: 'the file was deleted here' },
  unfinished: { code: 'UNFINISHED_UPLOAD', detail: 'the upload was never acknowledged' },
  rejected: { code: 'UNWELCOME_UPLOAD', detail: 'uploaded straight to the host, and against the rules' },
} as const;

/** Null: an upload decides, or the sync does not cover it. */
const leftReasons: Record<LeftWhy, Pick<DriftItem, 'code' | 'detail'> | null> = {
  unsettled: null,
  outside: null,
  deleting: { code: 'DELETING', detail: 'its removal is under way' },
  'deleted here': {
    code: 'DELETED_HERE',
    detail: 'the file was deleted here; foreign assets are not removed',
  },
  refused: { code: 'REFUSED_UPLOAD', detail: 'the upload was refused; its removal is remembered' },
  unfinished: {
    code: 'UNFINISHED_UPLOAD',
    detail: 'the upload is under way, or waits for its deadline',
  },
  twice: { code: 'SAME_ID_TWICE', detail: 'another asset has the id of this one' },
  damaged: { code: 'CONTENT_CHANGED', detail: 'the host has another number of bytes than were uploaded' },
};

/** Measured here, or different with every change. */
const unreportedFields = new Set([
  'status',
  'persistence',
  'lastError',
  'source',
  'updatedAt',
  'pushedRevision',
]);

function changes(before: MediaRecord, after: MediaRecord): string {
  const names = (Object.keys(after) as (keyof MediaRecord)[]).filter(
    (name) => !unreportedFields.has(name) && JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
  return `changed: ${names.join(', ')}`;
}
