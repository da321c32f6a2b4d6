import type { SyncRun } from '@holdfast/shared/sync';
import type { SyncSession } from '../sync-run/sync-session.js';
import { snapshotIfDue } from './snapshot-if-due.js';

/** Takes a snapshot after a run where one is due. The run has ended well, whatever becomes of it. */
export async function snapshotAfterRun(
  { deps, token, signal, log }: SyncSession,
  run: SyncRun,
): Promise<void> {
  if (!deps.settings.sync.snapshots || run.dryRun) return;
  await snapshotIfDue({ ...deps, token, signal, log }, run);
}
