import { isHoldfastError } from '@holdfast/shared/errors';
import { recordFromAsset, resourceTypes, type MediaRecord } from '@holdfast/shared/media';
import { unseenRecords } from '@holdfast/shared/sync';
import { knownBudget, pauseBeforePage } from '../host-calls/call-budget.js';
import { inParallel, LOOKS_AT_ONCE } from '../host-calls/in-parallel.js';
import { addCounts, addFinding, type SyncSession } from '../sync-run/sync-session.js';
import { missingItems, missingWords, noteMissingBefore } from './note-missing.js';
import { lookAt, NO_ANSWER } from '../reconcile/look-at.js';
import { isCovered } from '../reconcile/reconcile-step.js';

/** The host answers for so many asset ids at once. */
const BATCH = 100;
/** Something is there, and what it is cannot be told. */
const UNREADABLE = 'unreadable' as const;
/** More than this share and more than this number at once is held back until somebody says that it is right. */
const HELD_BACK_SHARE = 0.1;
const HELD_BACK_ABOVE = 20;

/**
 * After a complete pass: the records that no page showed. Each is asked for by its asset id and then by its name before it
 * is marked; one without an answer is not. `partial` when so many are gone that none was marked.
 */
export async function sweepMissing(session: SyncSession): Promise<'ok' | 'partial'> {
  const result = await settleUnseen(session);
  await noteMissingBefore(session);
  return result;
}

async function settleUnseen(session: SyncSession): Promise<'ok' | 'partial'> {
  const { deps, running } = session;
  const { run } = running;
  const { total, byStatus } = await deps.catalog.counts();
  const present = total - byStatus.missing - byStatus.deleting;
  const allowance = run.force ? Infinity : Math.max(HELD_BACK_ABOVE, Math.floor(present * HELD_BACK_SHARE));
  const gone: string[] = [];
  for await (const batch of candidates(session)) {
    gone.push(...(await confirmGone(session, batch)));
    if (gone.length > allowance) {
      addFinding(session, 'MASS_MISSING', gone);
      await session.drift.note(await missingItems(session, gone, missingWords.heldBack));
      return 'partial';
    }
  }
  for (let start = 0; start < gone.length; start += BATCH)
    await markGone(session, gone.slice(start, start + BATCH));
  return 'ok';
}

async function markGone(session: SyncSession, ids: readonly string[]): Promise<void> {
  const { deps, running, token, drift } = session;
  const { run } = running;
  await drift.note(await missingItems(session, ids, missingWords.marked));
  if (run.dryRun) {
    addCounts(run, { missing: ids.length });
    return;
  }
  const outcomes = await deps.catalog.markMissing(ids, token);
  addCounts(run, { missing: outcomes.filter((outcome) => outcome === 'missing').length });
  const kept = ids.filter((_, index) => outcomes[index] === 'kept');
  await drift.correct(await missingItems(session, kept, missingWords.kept));
}

async function* candidates({ deps, running }: SyncSession): AsyncGenerator<string[]> {
  const mark = { runId: running.run.runId, lastSequence: running.progress.lastSequence };
  let batch: string[] = [];
  for (const type of resourceTypes) {
    for await (const ids of unseenRecords(deps.redis, deps.keys, mark, type)) {
      batch.push(...ids);
      while (batch.length >= BATCH) {
        yield batch.slice(0, BATCH);
        batch = batch.slice(BATCH);
      }
    }
  }
  if (batch.length > 0) yield batch;
}

/** Those of these records whose asset the host says it has no more, by id and by name. */
async function confirmGone(session: SyncSession, ids: readonly string[]): Promise<string[]> {
  const { deps, signal, fleetBudget } = session;
  const stored = await deps.catalog.findStored(ids);
  const records = stored.flatMap((entry): MediaRecord[] =>
    entry !== null && isCovered(entry.record.publicId, deps.settings.host) ? [entry.record] : [],
  );
  if (records.length === 0) return [];
  // Throws when the hour's calls are used up; the sweep then starts again after the reset.
  pauseBeforePage(knownBudget(deps.host.budget(), fleetBudget), deps.now());
  const there = await deps.host.confirm(
    records.map((record) => record.assetId),
    signal,
  );
  const known = new Set(there.map((asset) => asset.assetId));
  const unknown = records.filter((record) => !known.has(record.assetId));
  const found = await inParallel(unknown, LOOKS_AT_ONCE, (record) =>
    lookAt(session, record).catch((error: unknown): typeof UNREADABLE => {
      if (isHoldfastError(error, 'ASSET_UNREADABLE')) return UNREADABLE;
      throw error;
    }),
  );
  const unreadable = unknown.filter((_, index) => found[index] === UNREADABLE);
  if (unreadable.length > 0)
    addFinding(
      session,
      'ASSET_UNREADABLE',
      unreadable.map(({ id }) => id),
    );
  // Another asset under the name of one that is gone is not that one, unless it carries the media.
  const { folder } = deps.settings.host;
  return unknown.flatMap(({ id, assetId }, index) => {
    const asset = found[index] ?? null;
    if (asset === UNREADABLE || asset === NO_ANSWER) return [];
    const isThere =
      asset !== null && (asset.assetId === assetId || recordFromAsset(asset, folder, 'sync').id === id);
    return isThere ? [] : [id];
  });
}
