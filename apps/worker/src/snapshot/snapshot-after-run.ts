import type { SnapshotFacts, SyncRun } from '@holdfast/shared/sync';
import type { SyncSession } from '../sync-run/sync-session.js';
import { endTombstones } from './end-tombstones.js';
import { snapshotIfDue } from './snapshot-if-due.js';

/** Takes a snapshot after a run where one is due, and ends tombstones. The run has ended well, whatever becomes of it. */
export async function snapshotAfterRun(
  { deps, token, signal, log }: SyncSession,
  run: SyncRun,
  facts: SnapshotFacts,
): Promise<void> {
  if (run.dryRun) return;
  if (deps.settings.sync.snapshots) await snapshotIfDue({ ...deps, token, signal, log }, run, facts);
  if (run.mode === 'full') await endTombstones({ ...deps, token, log });
}
