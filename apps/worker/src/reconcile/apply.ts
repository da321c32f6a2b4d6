import { isHoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import { encodeContent, type SaveEntry } from '@holdfast/shared/catalog';
import { writeCommitMark } from '@holdfast/shared/direct-uploads';
import { pushJob } from '@holdfast/shared/jobs';
import { isUnpushed } from '@holdfast/shared/media';
import { pushRecord } from '@holdfast/shared/push';
import { CALLS_AT_ONCE, inParallel } from '../sync-run/host-calls.js';
import type { AssetWork } from '../sync-run/sync-session.js';
import { expectedRecord, verifyRecords, type ExpectedRecord } from '../verify/verify-records.js';
import { isOpen, type Action, type Step } from './decide.js';

/**
 * Does what was decided, and sets the outcome of each step. One asset that fails does not hold up the others. `startedAtMs`: when the
 * run, or the look at single assets, began: the same for all its tries. Answers the records that are not verified yet, see
 * `verifyOpen`. Rejects where no other would fare better: without Redis, and when the signal aborts.
 */
export async function applySteps(
  work: AssetWork,
  all: readonly Step[],
  startedAtMs: number,
): Promise<ExpectedRecord[]> {
  const { catalog, queues, token } = work;
  const steps = all.filter(({ action: { kind }, bind }) => bind || (kind !== 'unchanged' && kind !== 'left'));
  // Records that are on their way back become `saving`, as they were.
  const missing = steps.flatMap(({ restore, stored }) => (restore && stored ? [stored.id] : []));
  if (missing.length > 0) await catalog.restore(missing, token);

  const entries = (await onEach(steps, work, entryOf)).filter((entry) => entry !== undefined);
  const outcomes = await catalog.saveMany(entries, token);
  const written = entries.filter(({ step }, index) => {
    const isWritten = outcomes[index] === 'created' || outcomes[index] === 'updated';
    // Somebody was faster, and the next run sees what they wrote.
    if (!isWritten) step.outcome = 'left';
    return isWritten;
  });

  const edited = steps.flatMap(({ action, stored }) => (action.kind === 'push' && stored ? [stored] : []));
  // Another id than the job that failed or is kept. A push that cannot be queued is found by the sweep of unpushed edits.
  const round = Math.floor(startedAtMs / 1_000);
  for (const { record } of [...edited, ...written])
    if (isUnpushed(record)) await queues.add(pushJob, { id: record.id, revision: record.revision, round });

  await onEach(steps, work, changeOnHost);
  // Not verified yet, though the record needs no save: a step before was cut off, or it is on its way back.
  const unsaved = steps.flatMap(({ action, stored, restore }) =>
    leavesRecord.has(action.kind) && stored !== null && (restore || isOpen(stored)) ? [stored] : [],
  );
  const open = [...written, ...unsaved].map(({ record, content }) => expectedRecord(record, content));
  return [...new Map(open.map((one) => [one.id, one])).values()];
}

/** Whatever is written to the asset, the record is as it was stored. */
const leavesRecord: ReadonlySet<Action['kind']> = new Set(['verify', 'push', 'rewrite']);

/** After these errors no other asset would succeed. */
const endsTheRun: ReadonlySet<ErrorCode> = new Set(['CATALOG_UNAVAILABLE', 'QUEUE_UNAVAILABLE']);

/** Runs the work for each of these assets, a few at once; undefined where it failed. */
async function onEach<Result>(
  steps: readonly Step[],
  work: AssetWork,
  act: (step: Step, work: AssetWork) => Promise<Result>,
): Promise<(Result | undefined)[]> {
  return inParallel(steps, CALLS_AT_ONCE, async (step) => {
    try {
      return await act(step, work);
    } catch (error) {
      if (work.signal.aborted || !isHoldfastError(error) || endsTheRun.has(error.code)) throw error;
      step.outcome = 'failed';
      const { id } = step.stored ?? step.fresh;
      work.log.warn('sync.asset_failed', { id, publicId: step.asset.publicId, code: error.code });
      return undefined;
    }
  });
}

/**
 * What a step saves; undefined where it saves nothing. What clients sent straight to the host gets its commit mark first: a record
 * never stands for an asset that another may remove. Where the client's `complete` was faster there is nothing to do.
 */
async function entryOf(step: Step, work: AssetWork) {
  const { action, asset } = step;
  const entryFor = (entry: SaveEntry) => ({
    ...entry,
    content: entry.content ?? encodeContent(entry.record),
    step,
  });
  if (action.kind === 'create' || action.kind === 'save') return entryFor(action);
  if (action.kind !== 'adopt') return undefined;
  const parts = { host: work.host, catalog: work.catalog, folder: work.settings.host.folder };
  const record = await writeCommitMark(parts, { asset, carried: action.carried }, work.signal);
  return entryFor({ record, expect: 'absent' });
}

/**
 * Removes the asset, or writes beside its bytes what the record says: where the host has lost it, and where the asset was renamed and
 * its mark does not say yet that it is no copy.
 */
async function changeOnHost({ asset, action, stored, bind, outcome }: Step, work: AssetWork): Promise<void> {
  const { host, tickets, signal, log } = work;
  const { publicId, assetId } = asset;
  if (action.kind === 'remove') {
    await host.remove(asset, signal);
    if (action.ticket !== undefined) await tickets.noteAltered(action.ticket);
    log.info('sync.asset_removed', { publicId, assetId });
  } else if (stored !== null && (action.kind === 'rewrite' || bind) && outcome === 'done') {
    // What else it brings in is verified by the next run.
    await pushRecord(work, stored.id, signal, asset);
    if (bind) log.info('sync.rename_noted', { id: stored.id, publicId });
  }
}

/** Verifies what steps left open. Answers how many could not be: they stay `saving`, and a later run takes them up again. */
export async function verifyOpen(work: AssetWork, open: readonly ExpectedRecord[]): Promise<number> {
  const unproven = await verifyRecords(open, work);
  if (unproven > 0) work.log.warn('sync.records_unproven', { count: unproven });
  return unproven;
}
