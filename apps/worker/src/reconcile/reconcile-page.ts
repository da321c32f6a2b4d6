import { isHoldfastError } from '@holdfast/foundation/errors';
import { CLAIM_KEPT_MS } from '@holdfast/shared/idempotency';
import type { MediaSource } from '@holdfast/shared/media';
import { isCircuitOpen, type AssetRef, type HostAsset, type ShownAssets } from '@holdfast/shared/media-host';
import type { DriftItem, NewFinding } from '@holdfast/shared/sync';
import { inParallel, LOOKS_AT_ONCE } from '../sync-run/host-calls.js';
import { unreadableFinding, type SyncDependencies, type SyncSession } from '../sync-run/sync-session.js';
import { applySteps } from './apply.js';
import { decide, type Step } from './decide.js';
import { doneBy, driftOfStep } from './drift.js';
import { readPageFacts, seeAsset } from './page-facts.js';

/**
 * Brings one page into the catalog: what Redis knows of its assets, what follows from that, the report of it, doing it, and the
 * report of what was not done. A page with nothing changed costs one round trip and writes nothing.
 */
export async function reconcilePage(session: SyncSession, page: ShownAssets) {
  const { state, token, running } = session;
  const { runId, dryRun, startedAt } = running.run;
  const { steps, unanswered } = await decidePage(session, page.assets);
  await restoreClaims(session, steps);
  const drift = new Map<Step, DriftItem>();
  for (const step of steps) {
    const item = driftOfStep(step);
    if (item !== null) drift.set(step, item);
  }
  const noted = new Set(await state.noteDrift(token, running, [...drift.values()]));
  const open = dryRun ? [] : await applySteps(session, steps, Date.parse(startedAt));
  for (const [{ outcome }, item] of drift)
    if (outcome !== 'done' && noted.has(item))
      await state.correctDrift(token, runId, item, { ...item, action: outcome });
  const counts = countSteps(session, steps);
  counts.errors += unanswered + page.unreadable.length;
  return {
    counts: { ...counts, listed: page.assets.length },
    findings: findingsOf(page, drift),
    /**
     * The numbers of the records that it met. What has the id of a record whose own asset is another one does not show whether that one
     * is there.
     */
    seen: steps.flatMap(({ action, stored }) =>
      action.difference?.code === 'SAME_ID_TWICE' ? [] : (stored?.sequence ?? []),
    ),
    /** Records that are not verified yet. */
    open,
  };
}

/** What a page adds to its run, once what it brought in is verified. */
export type ReconciledPage = Awaited<ReturnType<typeof reconcilePage>>;

/** What follows from these assets and from what Redis knows of them. `source` is how foreign ones came to be seen. */
export async function decideAssets(
  assets: readonly HostAsset[],
  deps: SyncDependencies,
  source: MediaSource = 'sync',
): Promise<Step[]> {
  const seen = assets.map((asset) => seeAsset(asset, deps.settings.host.folder, source));
  const facts = await readPageFacts(seen, deps);
  return seen.map((one) => decide(one, facts));
}

/**
 * Decides, and then once more where a listing alone is not enough to go by: what would overwrite, restore, rewrite or remove is
 * decided by the asset itself, and listings do not show how long a video is.
 */
async function decidePage(session: SyncSession, assets: readonly HostAsset[]) {
  const steps = await decideAssets(assets, session);
  const doubtful = new Set([...steps.filter(({ look }) => look), ...drawSilent(steps)]);
  if (doubtful.size === 0) return { steps, unanswered: 0 };
  const looked = await inParallel([...doubtful], LOOKS_AT_ONCE, ({ look, asset }) =>
    look ? lookAt(session, asset) : learnDuration(session, asset),
  );
  const present = looked.filter((asset) => asset !== null && asset !== undefined);
  return {
    steps: [...steps.filter((step) => !doubtful.has(step)), ...(await decideAssets(present, session))],
    unanswered: looked.filter((asset) => asset === undefined).length,
  };
}

/**
 * The asset as the host has it now: listings and above all the search index lag. Undefined where the host fails on this one, so that
 * nothing may be concluded: in a full run it does not hold up the others, and the next run asks again. A shorter run fails, since
 * what it passes over would wait for the next full one.
 */
export async function lookAt(
  { host, running, signal, log }: SyncSession,
  ref: AssetRef,
): Promise<HostAsset | null | undefined> {
  try {
    return await host.find(ref, signal);
  } catch (error) {
    const isOfThisOne = isHoldfastError(error, 'HOST_REJECTED', 'ASSET_UNREADABLE') && !isCircuitOpen(error);
    if (signal.aborted || running.run.mode !== 'full' || !isOfThisOne) throw error;
    log.warn('sync.asset_failed', { publicId: ref.publicId, code: error.code });
    return undefined;
  }
}

/** So many of a page are asked for: about a second, at a real distance. The others wait for the next full runs. */
const DURATIONS_A_PAGE = 50;

/** Some of the videos whose length neither their listing nor the mark nor our record shows. */
function drawSilent(steps: readonly Step[]): Step[] {
  const silent = steps.filter(lacksDuration);
  // From a random one: those whose length the host never gives must not keep the others from their turn.
  const start = Math.floor(Math.random() * silent.length);
  return [...silent.slice(start), ...silent.slice(0, start)].slice(0, DURATIONS_A_PAGE);
}

function lacksDuration({ asset, action, stored, look }: Step): boolean {
  if (asset.resourceType !== 'video' || asset.durationSeconds !== undefined || look) return false;
  if (action.kind === 'create' || action.kind === 'save') return action.record.durationSeconds === null;
  return action.kind === 'unchanged' && stored?.record.durationSeconds === null;
}

/** The asset with its length, by a call that is not metered. A host that does not answer keeps no video out of the catalog. */
async function learnDuration({ host, signal }: SyncSession, asset: HostAsset): Promise<HostAsset> {
  const found = await host.find(asset, signal).catch((error: unknown) => {
    if (signal.aborted || !isHoldfastError(error)) throw error;
    return null;
  });
  const isSame = found?.assetId === asset.assetId && found.version === asset.version;
  return isSame ? { ...asset, durationSeconds: found.durationSeconds } : asset;
}

/**
 * Redis forgot which Idempotency-Keys are used up, and the assets know: the keys of the last day are claimed again, of files that
 * come into the catalog and of all that a recovery meets. Before their records are created: a run that dies in between meets them
 * as new once more.
 */
async function restoreClaims(
  { claims: known, now, token, running, log }: SyncSession,
  steps: readonly Step[],
): Promise<void> {
  const { trigger, dryRun } = running.run;
  if (dryRun) return;
  const claims = steps.flatMap(({ action, carried, fresh }) => {
    if (action.kind !== 'create' && trigger !== 'recovery') return [];
    if (carried?.claim === undefined || carried.mark.state !== 'committed') return [];
    const { id, createdAt } = carried.fields;
    const keepMs = Date.parse(createdAt) + CLAIM_KEPT_MS - now();
    // A copy that others made carries the claim, too, and becomes a record of its own.
    return fresh.id === id && keepMs > 0 ? [{ ...carried.claim, id, keepMs }] : [];
  });
  const restored = await known.restore(claims, token);
  if (restored > 0) log.info('sync.claims_restored', { count: restored });
}

function countSteps({ running: { progress } }: SyncSession, steps: readonly Step[]) {
  const counts = { created: 0, updated: 0, unchanged: 0, restored: 0, removed: 0, errors: 0 };
  for (const { action, stored, restore, outcome } of steps) {
    // Saved by this run, in a process that was killed before it wrote that the page was done.
    const isCutOff =
      action.kind === 'verify' && stored?.status === 'saving' && stored.sequence > progress.lastSequence;
    const done = isCutOff ? 'created' : doneBy[action.kind];
    const isCounted = done === 'created' || done === 'updated' || done === 'removed';
    if (outcome === 'failed') counts.errors += 1;
    else counts[outcome === 'done' && isCounted ? done : 'unchanged'] += 1;
    if (restore && outcome === 'done') counts.restored += 1;
  }
  return counts;
}

function findingsOf({ lacking, unreadable }: ShownAssets, drift: ReadonlyMap<Step, DriftItem>): NewFinding[] {
  const findings: NewFinding[] = [];
  if (lacking.length > 0) findings.push(['LISTING_FIELDS_MISSING', lacking]);
  if (unreadable.length > 0) findings.push(unreadableFinding(unreadable));
  for (const [{ action, outcome }, { code, id, publicId }] of drift) {
    const isRemoved = action.kind === 'remove' && outcome === 'done';
    if (code === 'CONTENT_CHANGED' || code === 'MARK_LOST') findings.push([code, [id]]);
    // What was deleted here is expected to go.
    if (isRemoved && (code === 'UNFINISHED_UPLOAD' || code === 'UNWELCOME_UPLOAD'))
      findings.push([code, [publicId]]);
  }
  return findings;
}
