import { encodeContent } from '@holdfast/shared/catalog';
import type { MediaRecord } from '@holdfast/shared/media';
import type { DriftItem } from '@holdfast/shared/sync';
import { isEdited } from './asset-record.js';
import type { Action, Step } from './decide.js';

/** What a step does, in the words of the report. */
export const doneBy = {
  create: 'created',
  adopt: 'created',
  save: 'updated',
  push: 'push-queued',
  rewrite: 'rewritten',
  remove: 'removed',
  verify: 'left',
  left: 'left',
  unchanged: 'left',
} as const satisfies Record<Action['kind'], DriftItem['action']>;

/** What was different about an asset, and what is done about it; null where both sides agree, or an upload decides. */
export function driftOfStep(step: Step): DriftItem | null {
  const { asset, action, stored, fresh, restore } = step;
  const found = findingOf(step);
  if (found === null) return null;
  const { publicId, assetId } = asset;
  const kind = stored === null ? 'host-only' : 'different';
  const { id } = stored ?? fresh;
  return { kind, id, publicId, assetId, ...found, action: restore ? 'restored' : doneBy[action.kind] };
}

type Found = Pick<DriftItem, 'code' | 'detail'>;

/** Most records are as they should be, and those are not decoded. */
function findingOf({ action, asset, stored, restore, contentChanged }: Step): Found | null {
  if (stored !== null && contentChanged) {
    const { bytes, checksum } = stored.record;
    const is = `${String(asset.bytes)} bytes, MD5 ${asset.etag ?? 'unknown'}`;
    // The size of a record follows the host once it is seen, and says nothing of what was uploaded then. The checksum does not.
    const was = `${asset.bytes === bytes ? '' : `${String(bytes)} bytes, `}MD5 ${checksum.md5 ?? 'unknown'}`;
    return { code: 'CONTENT_CHANGED', detail: `${is}; was ${was}` };
  }
  if (restore) return texts.restore;
  switch (action.kind) {
    case 'create': {
      const isForeign = action.record.source === 'sync' || action.record.source === 'webhook';
      return isForeign ? texts.foreign : texts.ours;
    }
    case 'save':
      if (stored === null || encodeContent(action.record) === stored.content) return null;
      return {
        code: isEdited(action.record, stored.record) ? 'EDITED_ON_HOST' : 'CHANGED_ON_HOST',
        detail: changes(stored.record, action.record),
      };
    case 'push':
      return {
        code: 'EDITED_HERE',
        detail: `the host does not have revision ${String(stored?.record.revision)} yet`,
      };
    case 'remove':
    case 'left':
      return texts[action.why];
    case 'adopt':
    case 'rewrite':
      return texts[action.kind];
    case 'verify':
    case 'unchanged':
      return null;
  }
}

const texts = {
  restore: { code: 'CAME_BACK', detail: 'the record was missing, and the host has the asset again' },
  foreign: { code: 'NOT_IN_CATALOG', detail: 'put on the host by others' },
  ours: { code: 'NOT_IN_CATALOG', detail: 'uploaded through Holdfast; its record was gone' },
  adopt: { code: 'DIRECT_UPLOAD', detail: 'uploaded straight to the host, and never completed' },
  rewrite: { code: 'MARK_LOST', detail: 'the host had lost what we keep beside the bytes' },
  tombstoned: { code: 'DELETED_HERE', detail: 'the file was deleted here' },
  unacknowledged: { code: 'UNFINISHED_UPLOAD', detail: 'the upload was never acknowledged' },
  unwelcome: { code: 'UNWELCOME_UPLOAD', detail: 'uploaded straight to the host, and against the rules' },
  // An upload decides, or the sync does not cover it.
  unsettled: null,
  outside: null,
  deleting: { code: 'DELETING', detail: 'its removal is under way' },
  'deleted here': {
    code: 'DELETED_HERE',
    detail: 'the file was deleted here; foreign assets are not removed',
  },
  refused: { code: 'REFUSED_UPLOAD', detail: 'the upload was refused; its removal is remembered' },
  unfinished: { code: 'UNFINISHED_UPLOAD', detail: 'the upload is under way, or waits for its deadline' },
  twice: { code: 'SAME_ID_TWICE', detail: 'another asset has the id of this one' },
  damaged: { code: 'CONTENT_CHANGED', detail: 'the host has another number of bytes than were uploaded' },
} as const satisfies Record<string, Found | null>;

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
