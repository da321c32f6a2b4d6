import { missingRecords, type DriftAction, type DriftCode, type DriftItem } from '@holdfast/shared/sync';
import type { SyncSession } from '../sync-run/sync-session.js';
import { isCovered } from '../reconcile/reconcile-step.js';

/** What is said about records whose asset the host has no more. */
export const missingWords = {
  marked: {
    code: 'MISSING',
    action: 'marked-missing',
    detail: 'the host has it neither by asset id nor by name',
  },
  /** Saved or deleted here in the same moment. */
  kept: { code: 'MISSING', action: 'left', detail: 'changed here while it was found gone from the host' },
  heldBack: {
    code: 'MASS_MISSING',
    action: 'held-back',
    detail: 'gone from the host together with many others; the run stopped looking there',
  },
  before: { code: 'MISSING', action: 'left', detail: 'missing since an earlier run' },
} as const satisfies Record<string, { code: DriftCode; action: DriftAction; detail: string }>;

/** The items of these records; none where there is no room for them in the report. */
export async function missingItems(
  { deps, drift }: SyncSession,
  ids: readonly string[],
  words: Pick<DriftItem, 'code' | 'action' | 'detail'>,
): Promise<DriftItem[]> {
  if (!drift.takes('catalog-only')) return [];
  const stored = await deps.catalog.findStored(ids);
  return stored.flatMap((entry) => {
    if (entry === null || !isCovered(entry.record.publicId, deps.settings.host)) return [];
    const { id, publicId, assetId } = entry.record;
    return [{ kind: 'catalog-only' as const, id, publicId, assetId, ...words }];
  });
}

/** Those that earlier runs have marked and that no page has shown: they are different still. */
export async function noteMissingBefore(session: SyncSession): Promise<void> {
  const { deps, running, drift } = session;
  const mark = { runId: running.run.runId, lastSequence: running.progress.lastSequence };
  for await (const ids of missingRecords(deps.redis, deps.keys, mark)) {
    await drift.noteOthers(await missingItems(session, ids, missingWords.before));
    if (!drift.takes('catalog-only')) return;
  }
}
