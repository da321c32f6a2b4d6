import { judgeArrival } from '@holdfast/shared/direct-uploads';
import { doctorRunOf, idFromPublicId, isOwnId, type Carried, type MediaRecord } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import {
  isCovered,
  typedPublicId,
  type Action,
  type AssetMarks,
  type ReconcileRules,
} from './reconcile-step.js';

/** After an upload's own deadline, for a commit mark that was sent before it. Both times are the host's. */
const DEADLINE_GRACE_MS = 15_000;

/** What becomes of an asset without a record: adopted, unless it was deleted or refused here, or is not finished. */
export function withoutRecord(
  asset: HostAsset,
  fresh: MediaRecord,
  carried: Carried | null,
  marks: AssetMarks,
  rules: ReconcileRules,
): Action {
  // Also where the account shows no context, and so no mark, in its listings.
  if (doctorRunOf(rules.folder, asset.publicId) !== null) return { kind: 'left', why: 'unfinished' };
  if (marks.refused.has(typedPublicId(asset))) return { kind: 'left', why: 'refused' };
  if (carried !== null && carried.mark.state !== 'committed') {
    const { id } = carried.fields;
    // Whatever type the host took it for: that of a ticket is not signed.
    const ours = idFromPublicId(rules.folder, { ...asset, resourceType: 'raw' }) === id;
    if (marks.inHand.has(id)) return { kind: 'left', why: 'unfinished' };
    if (!ours) return renamedOrNotOurs(asset, id, marks, rules);
    if (marks.tombstoned.has(id)) return { kind: 'remove', why: 'tombstoned' };
    if (carried.mark.state === 'ticket') {
      return judgeArrival(asset, carried.mark, rules.uploads) === 'welcome'
        ? { kind: 'adopt', record: fresh, carried }
        : { kind: 'remove', why: 'unwelcome' };
    }
    const due = Date.parse(asset.uploadedAt) + carried.mark.deadlineSeconds * 1_000 + DEADLINE_GRACE_MS;
    return due < rules.hostNowMs
      ? { kind: 'remove', why: 'unfinished' }
      : { kind: 'left', why: 'unfinished' };
  }
  if (marks.tombstoned.has(fresh.id)) {
    // Renamed before it was deleted: the mark says whose it was, and the asset id that it is no copy.
    const renamed = carried !== null && isOwnId(carried.fields.id) && marks.tombstoned.has(carried.fields.id);
    return isOwnId(fresh.id) || renamed
      ? { kind: 'remove', why: 'tombstoned' }
      : { kind: 'left', why: 'deleted here' };
  }
  // Or under another name, which the account gave it: the upload is about to be refused.
  if (marks.inHand.has(fresh.id) || (carried !== null && marks.inHand.has(carried.fields.id)))
    return { kind: 'left', why: 'in hand' };
  return isCovered(asset.publicId, rules)
    ? { kind: 'create', record: fresh }
    : { kind: 'left', why: 'outside' };
}

/** The account puts a folder before the name of every upload, so that no media can come of it; else it is not ours to judge. */
function renamedOrNotOurs(
  { publicId }: HostAsset,
  id: string,
  { ticketed }: AssetMarks,
  { folder }: ReconcileRules,
): Action {
  return ticketed.has(id) && publicId.includes(`/${folder}/${id}`)
    ? { kind: 'remove', why: 'unwelcome', ticket: id }
    : { kind: 'left', why: 'unfinished' };
}
