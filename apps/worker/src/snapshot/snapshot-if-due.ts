import { toHoldfastError } from '@holdfast/shared/errors';
import type { SnapshotFacts, SyncRun } from '@holdfast/shared/sync';
import { takeSnapshot, type TakeSnapshotParts } from './take-snapshot.js';

const DAY_MS = 24 * 3_600_000;
/** So many changes are a day's: a recovery would read as many deletions, and lack as many edits. */
const MANY_CHANGES = 200_000;
/** One that failed is tried again after the next full run, or after so long. */
const AGAIN_MS = 15 * 60_000;

/** For the holder of the lease. A failure is noted beside the run, and never thrown. */
export async function snapshotIfDue(
  parts: TakeSnapshotParts,
  { mode, runId }: Pick<SyncRun, 'mode' | 'runId'>,
  facts: SnapshotFacts,
): Promise<void> {
  const { state, token, signal, log, now } = parts;
  try {
    if (isSnapshotDue(facts, mode, now())) await takeSnapshot(parts);
  } catch (thrown) {
    if (signal.aborted) return;
    const { code, message } = toHoldfastError(thrown);
    log.warn('snapshot.failed', { code, error: thrown });
    const problem = { code, message: `snapshot: ${message}`, at: new Date(now()).toISOString() };
    await state.noteProblem(token, runId, problem).catch(() => undefined);
  }
}

/**
 * After each full run, after a day and after many changes, where something changed. Never before a full run has completed: until then the
 * catalog may lack what the last snapshot has.
 */
export function isSnapshotDue(
  { snapshot, triedAt, lastFullAt, changes }: SnapshotFacts,
  mode: SyncRun['mode'],
  nowMs: number,
): boolean {
  if (lastFullAt === null || snapshot?.changes === changes) return false;
  // A time that lies ahead was noted by a clock that was wrong, and must not hold up a snapshot until then.
  const isWaiting = triedAt !== null && Math.abs(nowMs - Date.parse(triedAt)) < AGAIN_MS;
  if (mode !== 'full' && isWaiting) return false;
  if (snapshot === null || snapshot.at < lastFullAt) return true;
  const isOld = Math.abs(nowMs - Date.parse(snapshot.at)) >= DAY_MS;
  return isOld || changes - (snapshot.changes ?? 0) >= MANY_CHANGES;
}
