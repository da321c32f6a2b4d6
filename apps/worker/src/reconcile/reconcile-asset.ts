import type { StoredRecord } from '@holdfast/shared/catalog';
import { idFromPublicId, type MediaRecord } from '@holdfast/shared/media';
import { isContentChanged, pickStored } from './asset-record.js';
import { saysTheSame, withRecord } from './reconcile-known.js';
import type { AssetMarks, ReconcileRules, Step } from './reconcile-step.js';
import { withoutRecord } from './reconcile-unknown.js';
import { isUnboundRename } from './bind-renamed.js';
import { completed, type Sighting } from './sighting.js';

/** Decides from what the host has and what we have; changes nothing. */
export function reconcileAsset(
  seen: Sighting,
  records: ReadonlyMap<string, StoredRecord>,
  marks: AssetMarks,
  rules: ReconcileRules,
): Step {
  const expected = records.get(seen.fresh.id);
  const isSameAtOnce = expected !== undefined && saysTheSame(seen, expected);
  const stored = isSameAtOnce ? expected : pickStored(seen.asset, seen.ids, records, seen.fresh.id);
  if (stored === null) {
    const { asset, fresh, carried } = seen;
    const action = withoutRecord(asset, fresh, carried, marks, rules);
    const look =
      action.kind === 'remove' ||
      action.kind === 'adopt' ||
      (action.kind === 'create' && isBareOfOurs(seen, rules));
    return { asset, action, id: fresh.id, stored, restore: false, contentChanged: false, bind: false, look };
  }
  const sighting = isSameAtOnce ? seen : completed(seen, stored.record, rules.folder);
  const { asset, fresh, carried } = sighting;
  const isSame = isSameAtOnce || saysTheSame(sighting, stored);
  const action = withRecord({ sighting, stored, isSame, marks, rules });
  const acts = action.kind !== 'unchanged' && action.kind !== 'left';
  const restore = stored.status === 'missing' && acts && action.kind !== 'remove';
  // Records of foreign assets follow the host without a question: the next run mends what a lagging index told. But a name that
  // is not the record's may be the one from before a rename, of which a notification has told since.
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
    bind: isUnboundRename(sighting, stored, action, rules),
    contentChanged: isContentChanged(asset, isSame ? fresh : stored.record),
    look: acts && (restore || !(follows || action.kind === 'verify' || action.kind === 'push')),
  };
}

/** Under a name of ours, and without our mark: a listing that left it out would make a foreign media of our own. */
function isBareOfOurs({ asset, carried }: Sighting, { folder }: ReconcileRules): boolean {
  return carried === null && idFromPublicId(folder, asset) !== null;
}

/** What a listing does not show is taken for none; before a text or all tags go for it the asset itself is asked. */
function clears(next: MediaRecord, before: MediaRecord): boolean {
  return (['title', 'description', 'category', 'tags'] as const).some(
    (name) => next[name].length === 0 && before[name].length > 0,
  );
}
