import type { StoredRecord } from '@holdfast/shared/catalog';
import {
  bindingOf,
  idFromPublicId,
  isOwnId,
  readHostMetadata,
  writeHostMetadata,
} from '@holdfast/shared/media';
import { attempt } from './attempt.js';
import { CALLS_AT_ONCE, inParallel } from './in-parallel.js';
import type { Action, ReconcileRules, Step } from './reconcile-step.js';
import type { Sighting } from './sighting.js';
import type { SyncSession } from './sync-session.js';

/** What a step leaves as it is on the host. After any other the asset is seen again. */
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
    isOwnId(stored.id) &&
    carried.fields.id === stored.id &&
    idFromPublicId(folder, asset.publicId) !== stored.id &&
    carried.boundTo !== bindingOf(folder, asset.assetId) &&
    leavesTheMark.has(action.kind) &&
    stored.record.assetId === asset.assetId
  );
}

/** Writes into the marks of such assets which asset they are on. All else stays as it is there by now. */
export async function bindRenamed(session: SyncSession, steps: readonly Step[]): Promise<void> {
  const { host, settings } = session.deps;
  const renamed = steps.filter(({ bind }) => bind);
  await inParallel(renamed, CALLS_AT_ONCE, ({ asset, id }) =>
    attempt(session, id, async () => {
      const now = await host.find(asset, session.signal);
      const carried = now === null ? null : readHostMetadata(now);
      if (now === null || now.assetId !== asset.assetId || carried?.fields.id !== id) return;
      const boundTo = bindingOf(settings.host.folder, asset.assetId);
      await host.annotate(now, writeHostMetadata({ ...carried, boundTo }), session.signal);
      session.log.info('sync.rename_noted', { id, publicId: asset.publicId });
    }),
  );
}
