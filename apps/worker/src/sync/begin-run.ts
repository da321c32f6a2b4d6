import type { SyncMode, SyncPayload } from '@holdfast/shared/jobs';
import { newMediaId } from '@holdfast/shared/media';
import { noCounts, type RunningRun, type SyncMarks } from '@holdfast/shared/sync';
import { noteFinding } from '../sync-run/sync-findings.js';
import { OVERLAP_MS } from '../sync-run/sync-session.js';

/** Runs after uploads come every few seconds and only look for what is new; the others make up for what these miss. */
const SHORT_OVERLAP_MS = 5_000;
const FIRST_LOOK_BACK_MS = 10 * 60_000;
const HOUR_MS = 3_600_000;

export interface NewRun {
  payload: SyncPayload;
  marks: SyncMarks;
  lastSequence: number;
  /** What the last full run listed. */
  lastListed: number | null;
  fullIntervalHours: number;
  nowMs: number;
}

/** A run that has done nothing yet. */
export function beginRun(fresh: NewRun): RunningRun {
  const { payload, marks, lastSequence, lastListed, fullIntervalHours, nowMs } = fresh;
  const { trigger, dryRun, force } = payload;
  const mode = payload.mode ?? decideMode(trigger, marks, fullIntervalHours, nowMs);
  return {
    named: payload.runId !== undefined,
    run: {
      runId: payload.runId ?? newMediaId(nowMs),
      mode,
      trigger,
      startedAt: new Date(nowMs).toISOString(),
      finishedAt: null,
      durationMs: null,
      result: null,
      ...noCounts,
      findings: trigger === 'recovery' ? noteFinding([], 'CATALOG_REBUILDING', []) : [],
      dryRun,
      force,
      lastError: null,
      expected: mode === 'full' ? lastListed : null,
      waitingUntil: null,
    },
    progress: {
      cursor: null,
      resourceType: null,
      sweeping: false,
      ...(trigger === 'recovery' ? { restoring: true } : {}),
      listedBefore: 0,
      unchangedBefore: 0,
      since: mode === 'full' ? null : sinceOf(trigger, marks, nowMs).toISOString(),
      lastSequence,
    },
  };
}

function decideMode(
  trigger: SyncPayload['trigger'],
  { lastFullAt }: SyncMarks,
  fullIntervalHours: number,
  nowMs: number,
): SyncMode {
  if (trigger === 'manual' || trigger === 'recovery') return 'full';
  if (trigger === 'upload' || trigger === 'webhook') return 'incremental';
  // One that lies as far ahead was noted by a clock that was wrong.
  const isDue =
    lastFullAt === null || Math.abs(nowMs - Date.parse(lastFullAt)) >= fullIntervalHours * HOUR_MS;
  return isDue ? 'full' : 'incremental';
}

function sinceOf(trigger: SyncPayload['trigger'], { watermark, lookedAt }: SyncMarks, nowMs: number): Date {
  if (trigger === 'upload')
    return new Date(lookedAt === null ? nowMs - FIRST_LOOK_BACK_MS : Date.parse(lookedAt) - SHORT_OVERLAP_MS);
  return new Date(watermark === null ? 0 : Date.parse(watermark) - OVERLAP_MS);
}
