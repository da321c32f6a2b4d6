import type { MediaSource } from '@holdfast/shared/media';
import type { HostAsset, ShownAssets } from '@holdfast/shared/media-host';
import type { DriftItem, SyncCounts } from '@holdfast/shared/sync';
import { inParallel, LOOKS_AT_ONCE } from '../sync-run/host-calls.js';
import type { SyncDependencies } from '../sync-run/sync-dependencies.js';
import { noteDrift, unreadableFinding, type Finding, type SyncSession } from '../sync-run/sync-session.js';
import { applySteps, type Applied, type Outcome } from './apply.js';
import { decide, type Action, type Step } from './decide.js';
import { doneBy, driftOfStep } from './drift.js';
import { drawDoubtful, learnDuration, lookAt, NO_ANSWER } from './look-again.js';
import { readPageFacts, reconcileRules, seeAsset } from './page-facts.js';
import { restoreClaims } from './restore-claims.js';

/** What a page adds to its run, once what it brought in is verified. */
export interface ReconciledPage extends Pick<Applied, 'open'> {
  counts: Partial<SyncCounts>;
  findings: Finding[];
  /** The numbers of the records that it met. */
  seen: number[];
}

/**
 * Brings one page into the catalog: what Redis knows of its assets, what follows from that, the report of it, doing it, and the
 * report of what was not done. A page with nothing changed costs one round trip and writes nothing.
 */
export async function reconcilePage(session: SyncSession, page: ShownAssets): Promise<ReconciledPage> {
  const { state, token, running } = session;
  const { runId, dryRun } = running.run;
  const { steps, unanswered } = await decidePage(session, page.assets);
  await restoreClaims(session, steps);
  const expected = steps.map(driftOfStep);
  const noted = new Set(
    await noteDrift(
      session,
      expected.filter((item) => item !== null),
    ),
  );
  const { outcomes, open } = dryRun ? applyNothing(steps) : await applySteps(session, steps);
  const items = expected.map((item, index) => withOutcome(item, outcomes[index]));
  const corrections = expected.flatMap((item, index): [DriftItem, DriftItem][] => {
    const actual = items[index] ?? null;
    return item === actual || item === null || actual === null || !noted.has(item) ? [] : [[item, actual]];
  });
  await state.correctDrift(token, runId, corrections);
  const counts = countSteps(session, steps, outcomes);
  counts.errors += unanswered + page.unreadable.length;
  return {
    counts: { ...counts, listed: page.assets.length },
    findings: [...findingsOf(page), ...items.flatMap(findingsOfItem)],
    // What has the id of a record whose own asset is another one does not show whether that one is there.
    seen: steps.flatMap(({ action, stored }) =>
      action.kind === 'left' && action.why === 'twice' ? [] : (stored?.sequence ?? []),
    ),
    open,
  };
}

/** Decides, and then once more where a listing alone is not enough to go by. */
async function decidePage(
  session: SyncSession,
  assets: readonly HostAsset[],
): Promise<{ steps: readonly Step[]; unanswered: number }> {
  const steps = await decideAssets(assets, session);
  const doubtful = drawDoubtful(steps);
  if (doubtful.size === 0) return { steps, unanswered: 0 };
  const looked = await inParallel([...doubtful], LOOKS_AT_ONCE, ({ look, asset }) =>
    look ? lookAt(session, asset) : learnDuration(session, asset),
  );
  const present = looked.filter((asset) => asset !== null && asset !== NO_ANSWER);
  return {
    steps: [...steps.filter((step) => !doubtful.has(step)), ...(await decideAssets(present, session))],
    unanswered: looked.filter((asset) => asset === NO_ANSWER).length,
  };
}

/** What follows from these assets and from what Redis knows of them. `source` is how foreign ones came to be seen. */
export async function decideAssets(
  assets: readonly HostAsset[],
  deps: SyncDependencies,
  source: MediaSource = 'sync',
): Promise<Step[]> {
  const rules = reconcileRules(deps);
  const seen = assets.map((asset) => seeAsset(asset, rules.folder, source));
  const facts = await readPageFacts(seen, deps);
  return seen.map((one) => decide(one, facts, rules));
}

const applyNothing = (steps: readonly Step[]): Applied => ({ outcomes: steps.map(() => 'done'), open: [] });

function withOutcome(item: DriftItem | null, outcome: Outcome = 'done'): DriftItem | null {
  return item === null || outcome === 'done' ? item : { ...item, action: outcome };
}

function countSteps(
  { running: { progress } }: SyncSession,
  steps: readonly Step[],
  outcomes: readonly Outcome[],
) {
  const counts = { created: 0, updated: 0, unchanged: 0, restored: 0, removed: 0, errors: 0 };
  for (const [index, { action, stored, restore }] of steps.entries()) {
    const outcome = outcomes[index];
    // Saved by this run, in a process that was killed before it wrote that the page was done.
    const isCutOff =
      action.kind === 'verify' && stored?.status === 'saving' && stored.sequence > progress.lastSequence;
    if (outcome === 'failed') counts.errors += 1;
    else if (isCutOff) counts.created += 1;
    else counts[outcome === 'left' ? 'unchanged' : countedAs(action)] += 1;
    if (restore && outcome === 'done') counts.restored += 1;
  }
  return counts;
}

function countedAs({ kind }: Action): 'created' | 'updated' | 'removed' | 'unchanged' {
  const done = doneBy[kind];
  return done === 'created' || done === 'updated' || done === 'removed' ? done : 'unchanged';
}

function findingsOf({ lacking, unreadable }: ShownAssets): Finding[] {
  return [
    ...(lacking.length > 0 ? [['LISTING_FIELDS_MISSING', lacking] satisfies Finding] : []),
    ...(unreadable.length > 0 ? [unreadableFinding(unreadable)] : []),
  ];
}

function findingsOfItem(item: DriftItem | null): Finding[] {
  if (item === null) return [];
  const { code, action, id, publicId } = item;
  if (code === 'CONTENT_CHANGED' || code === 'MARK_LOST') return [[code, [id]]];
  // What was deleted here is expected to go.
  const isRemoved = action === 'removed' && (code === 'UNFINISHED_UPLOAD' || code === 'UNWELCOME_UPLOAD');
  return isRemoved ? [[code, [publicId]]] : [];
}
