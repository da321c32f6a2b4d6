import { encodeContent, type SaveEntry } from '@holdfast/shared/catalog';
import { pushJob } from '@holdfast/shared/jobs';
import { isUnpushed, type MediaRecord, type TakenIn } from '@holdfast/shared/media';
import { CALLS_AT_ONCE, inParallel } from '../host-calls/in-parallel.js';
import { addCounts, addFinding, type StepSession } from '../sync-run/sync-session.js';
import { expectedRecord, type ExpectedRecord } from '../verify/judge-record.js';
import { verifyRecords } from '../verify/verify-records.js';
import { adoptArrivals } from './adopt-arrivals.js';
import { attempt } from './attempt.js';
import { bindRenamed } from './bind-renamed.js';
import { isOpen, type Action, type Step } from './reconcile-step.js';
import { rewriteMarks } from './rewrite-marks.js';

/** Does what was decided about a page, a step of each kind for all of them together, and counts it. */
export async function applySteps(session: StepSession, steps: readonly Step[]): Promise<void> {
  const { run } = session.running;
  countSteps(session, steps);
  if (run.dryRun) return;
  const restored = await restoreMissing(session, steps);
  const adopted = await adoptArrivals(session, steps);
  const saved = await saveRecords(session, steps);
  const written = [...adopted, ...saved.map(({ record }) => record)];
  await pushEdits(session, [...recordsOf(steps, 'push'), ...written.filter(isUnpushed)]);
  await rewriteMarks(session, recordsOf(steps, 'rewrite'));
  await bindRenamed(session, steps);
  await removeAssets(session, steps);
  const open = [
    ...[...restored, ...recordsOf(steps, 'verify'), ...adopted].map((record) => expectedRecord(record)),
    ...saved.map(({ record, content }) => expectedRecord(record, content)),
    ...unproven(steps),
  ];
  const left = await verifyRecords([...new Map(open.map((one) => [one.id, one])).values()], session.deps);
  if (left > 0) session.log.warn('sync.records_unproven', { count: left });
  addCounts(run, { errors: left });
}

/**
 * Saved by a step that was cut off before it verified them, or on their way back: the asset is what differs by now, and the record would
 * stay `saving`. It is as it was stored, whatever is written to the asset.
 */
function unproven(steps: readonly Step[]): ExpectedRecord[] {
  return steps.flatMap(({ action, stored, restore }) =>
    (action.kind === 'push' || action.kind === 'rewrite') && stored !== null && (restore || isOpen(stored))
      ? [expectedRecord(stored.record, stored.content)]
      : [],
  );
}

function countSteps(session: StepSession, steps: readonly Step[]): void {
  const { run } = session.running;
  const counts = { created: 0, updated: 0, unchanged: 0, restored: 0, removed: 0 };
  for (const step of steps) {
    if (step.restore) counts.restored += 1;
    counts[countedAs[step.action.kind]] += 1;
  }
  addCounts(run, counts);
  const changed = steps.flatMap((step) => (step.contentChanged ? step.id : []));
  if (changed.length > 0) addFinding(session, 'CONTENT_CHANGED', changed);
  for (const [why, code] of Object.entries(findingOfRemoval)) {
    const removed = steps.flatMap(({ action, asset }) =>
      action.kind === 'remove' && action.why === why ? [asset.publicId] : [],
    );
    if (removed.length > 0) addFinding(session, code, removed);
  }
  const lost = recordsOf(steps, 'rewrite');
  if (lost.length > 0)
    addFinding(
      session,
      'MARK_LOST',
      lost.map((record) => record.id),
    );
}

/** What was deleted here is expected to go. */
const findingOfRemoval = { unfinished: 'UNFINISHED_UPLOAD', unwelcome: 'UNWELCOME_UPLOAD' } as const;

const countedAs = {
  create: 'created',
  adopt: 'created',
  save: 'updated',
  remove: 'removed',
  verify: 'unchanged',
  push: 'unchanged',
  rewrite: 'unchanged',
  left: 'unchanged',
  unchanged: 'unchanged',
} as const satisfies Record<Action['kind'], string>;

function recordsOf(steps: readonly Step[], kind: Action['kind']): MediaRecord[] {
  return steps.flatMap(({ action }) => (action.kind === kind && 'record' in action ? [action.record] : []));
}

/** The records that are on their way back, as they were. */
async function restoreMissing({ deps, token }: StepSession, steps: readonly Step[]): Promise<MediaRecord[]> {
  const back = steps.flatMap(({ restore, action }) => (restore && 'record' in action ? [action.record] : []));
  if (back.length > 0)
    await deps.catalog.restore(
      back.map((record) => record.id),
      token,
    );
  return back;
}

/** Those that were really written: others may have been faster, and the next run sees what they wrote. */
async function saveRecords(session: StepSession, steps: readonly Step[]): Promise<Written[]> {
  const fresh: Written[] = [];
  const others: Written[] = [];
  for (const { action } of steps) {
    if (action.kind !== 'create' && action.kind !== 'save') continue;
    const { record } = action;
    const content = encodeContent(record);
    if (action.kind === 'create') fresh.push({ record, content, expect: 'absent' });
    else {
      const { takenIn, expect } = action;
      others.push({
        record,
        content,
        ...(expect === null ? {} : { expect }),
        ...(takenIn === undefined ? {} : { takenIn }),
      });
    }
  }
  // Those that are new go in as a page, which is cheaper.
  const saved = [...(await saveAll(session, fresh)), ...(await saveAll(session, others))];
  // Before their push is asked for: it must tell the next edit on the host from the one that came in.
  await session.deps.catalog.noteTakenIn(
    saved.flatMap(({ record, takenIn }) => (takenIn === undefined ? [] : [{ id: record.id, ...takenIn }])),
  );
  return saved;
}

type Written = SaveEntry & { content: string; takenIn?: TakenIn };

async function saveAll(session: StepSession, entries: readonly Written[]): Promise<Written[]> {
  const { deps, token, running } = session;
  const outcomes = await deps.catalog.saveMany(entries, token);
  const overtaken = { created: 0, updated: 0, unchanged: 0 };
  const saved = entries.filter(({ record, expect }, index) => {
    const outcome = outcomes[index];
    if (outcome === 'created' || outcome === 'updated') return true;
    session.undone.set(record.id, 'left');
    overtaken[expect === 'absent' ? 'created' : 'updated'] -= 1;
    overtaken.unchanged += 1;
    return false;
  });
  addCounts(running.run, overtaken);
  return saved;
}

/** A push that cannot be queued is found by the sweep of unpushed edits. */
async function pushEdits({ deps, running }: StepSession, records: readonly MediaRecord[]): Promise<void> {
  // Another id than the job that failed or is kept, the same one for all tries of this run.
  const round = Math.floor(Date.parse(running.run.startedAt) / 1_000);
  for (const { id, revision } of records) await deps.queues.add(pushJob, { id, revision, round });
}

async function removeAssets(session: StepSession, steps: readonly Step[]): Promise<void> {
  const doomed = steps.filter(({ action }) => action.kind === 'remove');
  await inParallel(doomed, CALLS_AT_ONCE, ({ asset, action }) =>
    attempt(session, asset.publicId, async () => {
      await session.deps.host.remove(asset, session.signal);
      if (action.kind === 'remove' && action.ticket !== undefined)
        await session.deps.tickets.noteAltered(action.ticket);
      session.log.info('sync.asset_removed', { publicId: asset.publicId, assetId: asset.assetId });
    }),
  );
}
