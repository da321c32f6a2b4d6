import type { MediaRecord } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
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

/** What was different about an asset, and what is done about it; null where the report says nothing of it. */
export function driftOfStep(step: Step): DriftItem | null {
  const { asset, fresh, stored, action, difference, restore } = step;
  if (difference === null) return null;
  const { publicId, assetId } = asset;
  const kind = stored === null ? 'host-only' : 'different';
  const { id } = stored ?? fresh;
  return { kind, id, publicId, assetId, ...difference, action: restore ? 'restored' : doneBy[action.kind] };
}

/** What an item says besides what it is about. */
export type Difference = Pick<DriftItem, 'code' | 'detail'>;

export const differences = {
  cameBack: { code: 'CAME_BACK', detail: 'the record was missing, and the host has the asset again' },
  foreign: { code: 'NOT_IN_CATALOG', detail: 'put on the host by others' },
  lost: { code: 'NOT_IN_CATALOG', detail: 'uploaded through Holdfast; its record was gone' },
  arrived: { code: 'DIRECT_UPLOAD', detail: 'uploaded straight to the host, and never completed' },
  editedHere: { code: 'EDITED_HERE', detail: 'the host does not have the edit yet' },
  markLost: { code: 'MARK_LOST', detail: 'the host had lost what we keep beside the bytes' },
  tombstoned: { code: 'DELETED_HERE', detail: 'the file was deleted here' },
  foreignTombstoned: {
    code: 'DELETED_HERE',
    detail: 'the file was deleted here; foreign assets are not removed',
  },
  deleting: { code: 'DELETING', detail: 'its removal is under way' },
  refused: { code: 'REFUSED_UPLOAD', detail: 'the upload was refused; its removal is remembered' },
  unfinished: { code: 'UNFINISHED_UPLOAD', detail: 'the upload is under way, or waits for its deadline' },
  unacknowledged: { code: 'UNFINISHED_UPLOAD', detail: 'the upload was never acknowledged' },
  unwelcome: { code: 'UNWELCOME_UPLOAD', detail: 'uploaded straight to the host, and against the rules' },
  twice: { code: 'SAME_ID_TWICE', detail: 'another asset has the id of this one' },
  damaged: { code: 'CONTENT_CHANGED', detail: 'the host has another number of bytes than were uploaded' },
} as const satisfies Record<string, Difference>;

export function contentChange({ bytes, etag }: HostAsset, record: MediaRecord): Difference {
  const is = `${String(bytes)} bytes, MD5 ${etag ?? 'unknown'}`;
  // The size of a record follows the host once it is seen, and says nothing of what was uploaded then. The checksum does not.
  const size = bytes === record.bytes ? '' : `${String(record.bytes)} bytes, `;
  return { code: 'CONTENT_CHANGED', detail: `${is}; was ${size}MD5 ${record.checksum.md5 ?? 'unknown'}` };
}

/** Measured here, or different with every change. */
const unreported = new Set(['status', 'persistence', 'lastError', 'source', 'updatedAt', 'pushedRevision']);

/** Of a record that follows the host. */
export function changes(before: MediaRecord, after: MediaRecord): Difference {
  const names = (Object.keys(after) as (keyof MediaRecord)[]).filter(
    (name) => !unreported.has(name) && JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
  const code = isEdited(after, before) ? 'EDITED_ON_HOST' : 'CHANGED_ON_HOST';
  return { code, detail: `changed: ${names.join(', ')}` };
}
