import type { StoredRecord } from '@holdfast/shared/catalog';
import { readHostMetadata, recordFromAsset } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import { candidateIds, isContentChanged, pickStored } from './asset-record.js';
import { withRecord } from './reconcile-known.js';
import type { AssetMarks, ReconcileRules, Step } from './reconcile-step.js';
import { withoutRecord } from './reconcile-unknown.js';

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
  const none = { asset, recordId: null, sequence: null, restore: false, contentChanged: false };
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
    recordId: record.id,
    sequence: stored.sequence,
    restore: restore && settled.kind !== 'left',
    contentChanged: isContentChanged(asset, record),
    look: acts && (restore || !(follows || settled.kind === 'verify' || settled.kind === 'push')),
  };
}
