import type { Severity } from '../durability/index.js';
import type { SyncMode, SyncTrigger } from '../jobs/index.js';
import type { ResourceType } from '../media/index.js';
import type { Drift, DriftCounts } from './drift-report.js';

/** Something about the host or the catalog that an operator should know. Codes are as stable as those of errors. */
export interface SyncFinding {
  code:
    | 'MASS_MISSING'
    | 'HOST_CHANGED'
    | 'CONTENT_CHANGED'
    | 'CATALOG_REBUILDING'
    | 'SNAPSHOT_RESTORED'
    | 'SNAPSHOT_REFUSED'
    | 'MARK_LOST'
    | 'UNFINISHED_UPLOAD'
    | 'UNWELCOME_UPLOAD'
    | 'ASSETS_UNREADABLE'
    | 'LISTING_FIELDS_MISSING'
    | 'LISTING_SHORT';
  severity: Severity;
  message: string;
  fix: string;
  /** How many media it concerns, and the ids of the first of them. */
  count: number;
  ids: string[];
}

/** Something that went wrong in a run or beside it. */
export interface SyncProblem {
  /** Of the catalogue of errors. */
  code: string;
  /** For people. */
  message: string;
  /** ISO 8601. */
  at: string;
}

/** What a run has done so far. `errors` counts assets that could not be brought in, and failed tries of the run itself. */
export interface SyncCounts {
  listed: number;
  created: number;
  updated: number;
  unchanged: number;
  missing: number;
  restored: number;
  /** Assets taken off the host: deleted here before, or never acknowledged. */
  removed: number;
  errors: number;
  /** Metered calls to the host. */
  hostCalls: number;
}

/** One run as clients see it. Times are ISO 8601. */
export interface SyncRun extends SyncCounts {
  runId: string;
  mode: SyncMode;
  trigger: SyncTrigger;
  startedAt: string;
  /** Null while it runs. */
  finishedAt: string | null;
  durationMs: number | null;
  /** `partial`: it completed, but held a change back. Null while it runs. */
  result: 'ok' | 'failed' | 'partial' | null;
  findings: SyncFinding[];
  /** True when nothing was to be written; the counts say what would have been. */
  dryRun: boolean;
  force: boolean;
  /** Of a dry run that has ended: what it found different. A full run leaves a report of its own instead. */
  drift?: Drift;
  /** Why it failed, or what its last try met; null otherwise. */
  lastError: SyncProblem | null;
  /** About how many assets a full run will list, by the last one; null where there was none, and for others. */
  expected: number | null;
  /** While the host asks to wait: until when. The run resumes by itself. */
  waitingUntil: string | null;
}

/** Of a run that has done nothing yet. Copied into each run, and never counted in itself. */
export const noCounts: SyncCounts = {
  listed: 0,
  created: 0,
  updated: 0,
  unchanged: 0,
  missing: 0,
  restored: 0,
  removed: 0,
  errors: 0,
  hostCalls: 0,
};

/** Where a run stands. Written after each page, so that any worker can go on at the next one. */
export interface RunProgress {
  /** Cursor of the next page; null at the start of a listing. */
  cursor: string | null;
  /** Full runs: the type being listed, or that all are listed and the sweep is on. Incremental runs: null. */
  resourceType: ResourceType | null;
  sweeping: boolean;
  /** Recoveries: the snapshot has not been looked at yet. */
  restoring?: boolean;
  /** Recoveries: changes since then come before the whole listing, so that what is newer than the snapshot is back soon. ISO 8601. */
  catchUpSince?: string | null;
  /** Incremental runs: changes since then are asked for. ISO 8601. */
  since: string | null;
  /** When it began, by the host's clock, once that is known. ISO 8601. */
  beganOnHost?: string;
  /** Records numbered above this came after the run began, so their absence from its pages means nothing. */
  lastSequence: number;
  /** How many items of each kind the drift report of this run has. */
  drift?: DriftCounts;
}

/** The run under way, as it rests in Redis. */
export interface RunningRun {
  run: SyncRun;
  progress: RunProgress;
}
