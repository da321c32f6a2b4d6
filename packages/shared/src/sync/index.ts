export {
  createSyncState,
  syncStatusOf,
  type RunOutcome,
  type SnapshotFacts,
  type SnapshotNote,
  type SyncFacts,
  type SyncWatermarks,
  type SyncNotes,
  type SyncState,
  type SyncStatus,
} from './sync-state.js';
export { SYNC_LEASE_MS } from './lease.js';
export {
  DRIFT_KEPT,
  DRY_DRIFT_KEPT,
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
} from './drift-report.js';
export { unseenRecords } from './unseen-records.js';
export {
  noCounts,
  type RunningRun,
  type RunProgress,
  type SyncCounts,
  type SyncFinding,
  type SyncProblem,
  type SyncRun,
} from './sync-run.js';
