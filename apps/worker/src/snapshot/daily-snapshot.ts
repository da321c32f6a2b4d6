import { holdLease } from '../sync-run/sync-lease.js';
import { isSnapshotDue, snapshotIfDue } from './snapshot-if-due.js';
import type { TakeSnapshotParts } from './take-snapshot.js';

export type DailySnapshotParts = Omit<TakeSnapshotParts, 'token' | 'signal'>;

/**
 * Takes the day's snapshot where no sync does: there may be no schedule, or a rare one, and still people edit and delete.
 * Every worker may ask; the lease lets one of them do it. Rejects when Redis cannot serve.
 */
export async function dailySnapshot(parts: DailySnapshotParts, signal: AbortSignal): Promise<void> {
  const { state, settings, now } = parts;
  if (!settings.sync.snapshots) return;
  if (!isSnapshotDue(await state.readSnapshotFacts(), 'incremental', now())) return;
  const lease = await holdLease(parts, signal);
  // A run is at work, and takes one when it ends.
  if (lease === null) return;
  try {
    const [{ lastRun }, facts] = await Promise.all([state.readStatus(), state.readSnapshotFacts()]);
    const beside = { mode: 'incremental', runId: lastRun?.runId ?? '' } as const;
    await snapshotIfDue({ ...parts, token: lease.token, signal: lease.signal }, beside, facts);
  } finally {
    await lease.release();
  }
}
