import type { StoredRecord } from '@holdfast/shared/catalog';
import { isContentChanged, pickStored } from './asset-record.js';
import { saysTheSame, withRecord } from './reconcile-known.js';
import type { AssetMarks, ReconcileRules, Step } from './reconcile-step.js';
import { withoutRecord } from './reconcile-unknown.js';
import { isUnboundRename } from './bind-renamed.js';
import type { Sighting } from './sighting.js';

/** Decides from what the host has and what we have; changes nothing. */
export function reconcileAsset(
  sighting: Sighting,
  records: ReadonlyMap<string, StoredRecord>,
  marks: AssetMarks,
  rules: ReconcileRules,
): Step {
  const { asset, fresh, carried, ids } = sighting;
  const expected = records.get(fresh.id);
  const isSame = expected !== undefined && saysTheSame(sighting, expected);
  const stored = isSame ? expected : pickStored(asset, ids, records, fresh.id);
  if (stored === null) {
    const action = withoutRecord(asset, fresh, carried, marks, rules);
    const look = action.kind === 'remove' || action.kind === 'adopt';
    return { asset, action, id: fresh.id, stored, restore: false, contentChanged: false, bind: false, look };
  }
  const action = withRecord({ sighting, stored, isSame, marks, rules });
  const acts = action.kind !== 'unchanged' && action.kind !== 'left';
  const restore = stored.status === 'missing' && acts && action.kind !== 'remove';
  // Records of foreign assets follow the host without a question: the next run mends what a lagging index told. But a name that
  // is not the record's may be the one from before a rename, of which a notification has told since.
  const follows = action.kind === 'save' && carried === null && asset.publicId === stored.record.publicId;
  return {
    asset,
    action,
    id: stored.id,
    stored,
    restore,
    bind: isUnboundRename(sighting, stored, action, rules),
    contentChanged: isContentChanged(asset, isSame ? fresh : stored.record),
    look: acts && (restore || !(follows || action.kind === 'verify' || action.kind === 'push')),
  };
}
