export { createSyncState, type SyncState } from './sync-state.js';
export {
  syncStatusOf,
  type SyncFacts,
  type SnapshotFacts,
  type SnapshotNote,
  type SyncMarks,
  type SyncStatus,
} from './sync-reads.js';
export type { RunOutcome, SyncNotes } from './sync-writes.js';
export { SYNC_LEASE_MS } from './sync-writes.js';
export { DRIFT_KEPT, type NoteDrift } from './drift-report.js';
export {
  driftActions,
  driftCodes,
  driftKinds,
  type Drift,
  type DriftAction,
  type DriftCode,
  type DriftCounts,
  type DriftItem,
  type DriftKind,
  type DriftPage,
} from './drift-item.js';
export { missingRecords, unseenRecords } from './unseen-records.js';
export type { RunningRun, RunProgress } from './running-run.js';
export { noCounts, type SyncCounts, type SyncFinding, type SyncProblem, type SyncRun } from './sync-run.js';
