export {
  createSyncState,
  syncFactsOf,
  type RunOutcome,
  type SnapshotNote,
  type SyncFacts,
  type SyncNotes,
  type SyncState,
} from './sync-state.js';
export { SYNC_LEASE_MS } from './lease.js';
export {
  drift,
  DRIFT_KEPT,
  driftActions,
  driftCodes,
  driftItem,
  driftKinds,
  DRY_DRIFT_KEPT,
  type DriftItem,
  type DriftKind,
  type DriftPage,
} from './drift-report.js';
export { unseenRecords } from './unseen-records.js';
export {
  addFinding,
  noCounts,
  syncProblem,
  syncRun,
  type NewFinding,
  type RunningRun,
  type SyncCounts,
  type SyncRun,
} from './sync-run.js';
