import type { StoredRecord } from '@holdfast/shared/catalog';
import {
  bindingOf,
  carriedFields,
  idFromPublicId,
  idOfFoundAsset,
  isOwnId,
  isUnpushed,
  readHostMetadata,
  rewriteHostMetadata,
  type MediaRecord,
} from '@holdfast/shared/media';
import type { AssetRef, HostAsset } from '@holdfast/shared/media-host';
import { CALLS_AT_ONCE, inParallel } from '../host-calls/in-parallel.js';
import type { StepSession } from '../sync-run/sync-session.js';
import { attempt } from './attempt.js';
import type { Action, ReconcileRules, Step } from './reconcile-step.js';
import type { Sighting } from './sighting.js';

/** After these steps, unless an edit is on its way, the host has all that the record says. */
const leavesTheMark: ReadonlySet<Action['kind']> = new Set(['save', 'verify', 'unchanged']);

/**
 * Whether the asset is the one of our record under a name that does not tell so: from the host alone, after Redis was wiped,
 * it could not be told from a copy, and would come back under another id.
 */
export function isUnboundRename(
  { asset, carried }: Sighting,
  stored: StoredRecord,
  action: Action,
  { folder }: Pick<ReconcileRules, 'folder'>,
): boolean {
  return (
    carried !== null &&
    carried.mark.state === 'committed' &&
    carried.fields.id === stored.id &&
    isNameless(asset, stored.id, folder) &&
    carried.boundTo !== bindingOf(folder, asset.assetId) &&
    leavesTheMark.has(action.kind) &&
    stored.record.assetId === asset.assetId &&
    !isUnpushed(stored.record) &&
    !(action.kind === 'save' && isUnpushed(action.record))
  );
}

/** What the mark of a record's asset says of the asset itself: only where its name does not tell the id. */
export function bindingIn(record: MediaRecord, folder: string): { boundTo?: string } {
  return isNameless(record, record.id, folder) ? { boundTo: bindingOf(folder, record.assetId) } : {};
}

/** Writes into the marks of such assets which asset they are on. All else stays as it is there by now. */
export async function bindRenamed(session: StepSession, steps: readonly Step[]): Promise<void> {
  const renamed = steps.filter(({ bind }) => bind);
  await inParallel(renamed, CALLS_AT_ONCE, ({ asset, id }) =>
    attempt(session, id, () => bindOne(session, asset, id)),
  );
}

/** An edit may be pushed between our look and our write, which would undo it on the host: then what we have now is written. */
async function bindOne({ deps, signal, log }: StepSession, asset: HostAsset, id: string): Promise<void> {
  const { host, settings, catalog } = deps;
  const found = await host.find(asset, signal);
  const carried = found === null ? null : readHostMetadata(found);
  if (found === null || found.assetId !== asset.assetId || carried?.fields.id !== id) return;
  const boundTo = bindingOf(settings.host.folder, asset.assetId);
  let { fields } = carried;
  for (;;) {
    await host.annotate(found, rewriteHostMetadata(found, { ...carried, fields, boundTo }), signal);
    const record = await catalog.find(id);
    if (record === null || record.revision <= fields.revision) break;
    fields = carriedFields(record);
  }
  log.info('sync.rename_noted', { id, publicId: asset.publicId });
}

/** Whether neither the name nor the id of the asset tells the id of the record: of a foreign one, since it was moved from another host. */
function isNameless(asset: AssetRef & { assetId: string }, id: string, folder: string): boolean {
  return isOwnId(id) ? idFromPublicId(folder, asset) !== id : id !== idOfFoundAsset(asset.assetId);
}
