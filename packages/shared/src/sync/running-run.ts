import type { ResourceType } from '../media/index.js';
import type { SyncRun } from './sync-run.js';

/** Where a run stands. Written after each page, so that any worker can go on at the next one. */
export interface RunProgress {
  /** Cursor of the next page; null at the start of a listing. */
  cursor: string | null;
  /** Full runs: the type being listed, or that all are listed and the sweep is on. Incremental runs: null. */
  resourceType: ResourceType | null;
  sweeping: boolean;
  /** Counts at the start of this type's listing, to which a spent cursor goes back. */
  listedBefore: number;
  unchangedBefore: number;
  /** Recoveries: the snapshot has not been looked at yet. */
  restoring?: boolean;
  /** Recoveries: changes since then come before the whole listing, so that what is newer than the snapshot is back soon. ISO 8601. */
  catchUpSince?: string | null;
  /** Incremental runs: changes since then are asked for. ISO 8601. */
  since: string | null;
  /** When it began, by the host's clock, once that is known. ISO 8601. */
  beganOnHost?: string;
  /** Full runs: records were found that lacked entries in the indexes. */
  lackedEntries?: boolean;
  /** Records numbered above this came after the run began, so their absence from its pages means nothing. */
  lastSequence: number;
}

/** The run under way, as it rests in Redis. */
export interface RunningRun {
  run: SyncRun;
  progress: RunProgress;
  /** Whether the job that began it named the run itself; a schedule's job does not. */
  named: boolean;
}
