import { encodeContent, type SaveEntry } from '@holdfast/shared/catalog';
import { writeCommitMark } from '@holdfast/shared/direct-uploads';
import { isHoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import { pushJob } from '@holdfast/shared/jobs';
import { isUnpushed, type MediaRecord } from '@holdfast/shared/media';
import { pushRecord } from '@holdfast/shared/push';
import { CALLS_AT_ONCE, inParallel } from '../sync-run/host-calls.js';
import type { AssetWork } from '../sync-run/sync-session.js';
import { expectedRecord, verifyRecords, type ExpectedRecord } from '../verify/verify-records.js';
import { isOpen, type Step } from './decide.js';

interface Work extends AssetWork {
  /** Those where something is to be done. */
  steps: readonly Step[];
}

/**
 * Does what was decided, all steps of one kind together, and sets the outcome of each. One asset that fails does not hold up the
 * others. Answers the records that are not verified yet, see `verifyOpen`. Rejects where no other would fare better: without
 * Redis, and when the signal aborts.
 */
export async function applySteps(given: AssetWork, all: readonly Step[]): Promise<ExpectedRecord[]> {
  const steps = all.filter(
    ({ action, bind }) => bind || (action.kind !== 'unchanged' && action.kind !== 'left'),
  );
  const work: Work = { ...given, steps };
  await restoreMissing(work);
  const written = await saveRecords(work, await commitArrivals(work));
  const edited = steps.flatMap(({ action, stored }) => (action.kind === 'push' && stored ? [stored] : []));
  await pushEdits(work, [...edited, ...written].map(({ record }) => record).filter(isUnpushed));
  await rewriteMarks(work);
  await removeAssets(work);
  const open = [...written, ...openAsStored(steps)].map(({ record, content }) =>
    expectedRecord(record, content),
  );
  return [...new Map(open.map((one) => [one.id, one])).values()];
}

/** Verifies what steps left open. Answers how many could not be: they stay `saving`, and a later run takes them up again. */
export async function verifyOpen(work: AssetWork, open: readonly ExpectedRecord[]): Promise<number> {
  const unproven = await verifyRecords(open, work);
  if (unproven > 0) work.log.warn('sync.records_unproven', { count: unproven });
  return unproven;
}

/**
 * Not verified yet, though the record needs no save: a step before was cut off, or it is on its way back. Whatever is written to the
 * asset, the record is as it was stored.
 */
const openAsStored = (steps: readonly Step[]) =>
  steps.flatMap(({ action: { kind }, stored, restore }) =>
    (kind === 'verify' || kind === 'push' || kind === 'rewrite') &&
    stored !== null &&
    (restore || isOpen(stored))
      ? [stored]
      : [],
  );

/** After these errors no other asset would succeed. */
const endsTheRun: ReadonlySet<ErrorCode> = new Set(['CATALOG_UNAVAILABLE', 'QUEUE_UNAVAILABLE']);

/** Runs the work for each of these assets, a few at once. */
async function onEach({ steps, signal, log }: Work, act: (step: Step) => Promise<void>): Promise<void> {
  await inParallel(steps, CALLS_AT_ONCE, async (step) => {
    try {
      await act(step);
    } catch (error) {
      if (signal.aborted || !isHoldfastError(error) || endsTheRun.has(error.code)) throw error;
      step.outcome = 'failed';
      const { id } = step.stored ?? step.fresh;
      log.warn('sync.asset_failed', { id, publicId: step.asset.publicId, code: error.code });
    }
  });
}

/** Records that are on their way back become `saving`, as they were. */
async function restoreMissing({ catalog, token, steps }: Work): Promise<void> {
  const ids = steps.flatMap(({ restore, stored }) => (restore && stored ? [stored.id] : []));
  if (ids.length > 0) await catalog.restore(ids, token);
}

interface Entry extends SaveEntry {
  step: Step;
  content: string;
}

function entryOf(step: Step, record: MediaRecord, over: Pick<SaveEntry, 'expect' | 'mergeBase'>): Entry {
  return { step, record, content: encodeContent(record), ...over };
}

/**
 * Takes in what clients sent straight to the host. The commit mark comes first: a record never stands for an asset that
 * another may remove. Where the client's `complete` was faster there is nothing to do.
 */
async function commitArrivals(work: Work): Promise<Entry[]> {
  const { host, catalog, settings, signal } = work;
  const parts = { host, catalog, folder: settings.host.folder };
  const entries: Entry[] = [];
  await onEach(work, async (step) => {
    const { asset, action } = step;
    if (action.kind !== 'adopt') return;
    const record = await writeCommitMark(parts, { asset, carried: action.carried }, signal);
    entries.push(entryOf(step, record, { expect: 'absent' }));
  });
  return entries;
}

/** Answers those that were really written: somebody may have been faster, and the next run sees what they wrote. */
async function saveRecords({ catalog, token, steps }: Work, adopted: readonly Entry[]): Promise<Entry[]> {
  const others = steps.flatMap((step): Entry[] => {
    const { action } = step;
    if (action.kind === 'create') return [entryOf(step, action.record, { expect: 'absent' })];
    if (action.kind !== 'save') return [];
    const { record, expect, mergeBase } = action;
    return [entryOf(step, record, { ...(expect && { expect }), ...(mergeBase && { mergeBase }) })];
  });
  const entries = [...adopted, ...others];
  const outcomes = await catalog.saveMany(entries, token);
  return entries.filter(({ step }, index) => {
    const isWritten = outcomes[index] === 'created' || outcomes[index] === 'updated';
    if (!isWritten) step.outcome = 'left';
    return isWritten;
  });
}

/** A push that cannot be queued is found by the sweep of unpushed edits. */
async function pushEdits({ queues, startedAtMs }: Work, records: readonly MediaRecord[]): Promise<void> {
  // Another id than the job that failed or is kept, the same one for all tries of this run.
  const round = Math.floor(startedAtMs / 1_000);
  for (const { id, revision } of records) await queues.add(pushJob, { id, revision, round });
}

/**
 * Writes beside the bytes what the records say: where the host has lost it, and where an asset was renamed and its mark does not
 * say yet that it is no copy.
 */
async function rewriteMarks(work: Work): Promise<void> {
  await onEach(work, async (step) => {
    const { action, stored, bind, asset } = step;
    if (stored === null || (action.kind !== 'rewrite' && !bind) || step.outcome !== 'done') return;
    const { id } = stored;
    // What else it brings in is verified by the next run.
    await pushRecord(work, id, work.signal, asset);
    if (bind) work.log.info('sync.rename_noted', { id, publicId: asset.publicId });
  });
}

async function removeAssets(work: Work): Promise<void> {
  const { host, tickets, signal, log } = work;
  await onEach(work, async ({ asset, action }) => {
    if (action.kind !== 'remove') return;
    await host.remove(asset, signal);
    if (action.ticket !== undefined) await tickets.noteAltered(action.ticket);
    log.info('sync.asset_removed', { publicId: asset.publicId, assetId: asset.assetId });
  });
}
