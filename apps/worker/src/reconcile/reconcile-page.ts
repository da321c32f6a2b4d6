import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { CLAIM_KEPT_MS } from '@holdfast/shared/idempotency';
import { bindingOf, idFromPublicId, readHostMetadata, takeClaim } from '@holdfast/shared/media';
import { isCircuitOpen, type AssetRef, type HostAsset, type ShownAssets } from '@holdfast/shared/media-host';
import type { SyncRun } from '@holdfast/shared/sync';
import { inParallel, LOOKS_AT_ONCE } from '../sync-run/host-calls.js';
import {
  addCounts,
  addFinding,
  correctDrift,
  noteDrift,
  type SyncSession,
} from '../sync-run/sync-session.js';
import { applySteps, type Applied, type ApplyContext } from './apply.js';
import { decide, type Action, type Step } from './decide.js';
import { driftOfStep } from './drift.js';
import { readPageFacts, reconcileRules, seeAsset } from './page-facts.js';

export interface ReconciledPage extends Pick<Applied, 'open'> {
  /** The numbers of the records that it met. */
  seen: number[];
}

/**
 * Brings one page into the catalog: what Redis knows of its assets, what follows from that, the report of it, doing it. A page
 * with nothing changed costs one round trip and writes nothing. What it brought in is still to be verified. Throws HOST_REJECTED
 * for a page of which more than half cannot be read.
 */
export async function reconcilePage(session: SyncSession, page: ShownAssets): Promise<ReconciledPage> {
  const { run } = session.running;
  await rejectUnreadable(session, page);
  addCounts(run, { listed: page.assets.length });
  if (page.assets.length === 0) return { seen: [], open: [] };

  const steps = await decideAll(session, page.assets);
  await restoreClaims(session, page.assets, steps);
  const items = steps.map(driftOfStep);
  await noteDrift(
    session,
    items.filter((item) => item !== null),
  );
  const applied = run.dryRun ? applyNothing(steps) : await applySteps(contextOf(session), steps);
  count(session, steps, applied);
  const corrected = items.flatMap((item, index) => {
    const outcome = applied.outcomes[index] ?? 'done';
    return item === null || outcome === 'done' ? [] : [{ ...item, action: outcome }];
  });
  await correctDrift(session, corrected);
  const seen = steps.flatMap((step) => (isOfAnotherAsset(step) ? [] : (step.stored?.sequence ?? [])));
  return { seen, open: applied.open };
}

/** Decides, and then once more where a listing alone is not enough to go by. */
async function decideAll(session: SyncSession, assets: readonly HostAsset[]): Promise<readonly Step[]> {
  const rules = reconcileRules(session.deps);
  const decideOn = async (shown: readonly HostAsset[]): Promise<Step[]> => {
    const seen = shown.map((asset) => seeAsset(asset, rules.folder));
    const facts = await readPageFacts(seen, session.deps);
    return seen.map((one) => decide(one, facts, rules));
  };
  const steps = await decideOn(assets);
  const silent = drawSilent(steps);
  const again = steps.filter((step) => step.look || silent.has(step));
  if (again.length === 0) return steps;
  const looked = await inParallel(again, LOOKS_AT_ONCE, (step) =>
    step.look ? lookAt(session, step.asset) : learnDuration(session, step.asset),
  );
  const present = looked.filter((asset) => asset !== null && asset !== NO_ANSWER);
  return [...steps.filter((step) => !step.look && !silent.has(step)), ...(await decideOn(present))];
}

const applyNothing = (steps: readonly Step[]): Applied => ({
  outcomes: steps.map(() => 'done'),
  open: [],
});

function contextOf({ deps, token, running, signal, log }: SyncSession): ApplyContext {
  return { deps, token, startedAtMs: Date.parse(running.run.startedAt), signal, log };
}

/** It has the id of a record whose own asset is another one: whether that one is there, it does not show. */
function isOfAnotherAsset({ action }: Step): boolean {
  return action.kind === 'left' && action.why === 'twice';
}

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
} as const satisfies Record<Action['kind'], keyof SyncRun>;

const findingOfRemoval = { unfinished: 'UNFINISHED_UPLOAD', rejected: 'UNWELCOME_UPLOAD' } as const;

function count(session: SyncSession, steps: readonly Step[], { outcomes }: Applied): void {
  const { run, progress } = session.running;
  const counts = { created: 0, updated: 0, unchanged: 0, restored: 0, removed: 0, errors: 0 };
  for (const [index, step] of steps.entries()) {
    const outcome = outcomes[index];
    // Saved by this run, in a process that was killed before it wrote that the page was done.
    const isCutOff =
      step.action.kind === 'verify' &&
      step.stored?.status === 'saving' &&
      step.stored.sequence > progress.lastSequence;
    if (outcome === 'failed') counts.errors += 1;
    else if (isCutOff) counts.created += 1;
    else counts[outcome === 'left' ? 'unchanged' : countedAs[step.action.kind]] += 1;
    if (step.restore && outcome === 'done') counts.restored += 1;
  }
  addCounts(run, counts);
  for (const { action, asset, id, contentChanged } of steps) {
    if (contentChanged) addFinding(session, 'CONTENT_CHANGED', [id]);
    if (action.kind === 'rewrite') addFinding(session, 'MARK_LOST', [id]);
    // What was deleted here is expected to go.
    if (action.kind === 'remove' && action.why !== 'tombstoned')
      addFinding(session, findingOfRemoval[action.why], [asset.publicId]);
  }
}

/**
 * Notes what of a page cannot be read or was left out. Throws HOST_REJECTED where more than half cannot be read: then it is not the
 * assets, and to go on would be to take a host that we do not understand for an empty one. A single odd asset, alone on its page, does
 * not keep the run from all others that it has read.
 */
async function rejectUnreadable(session: SyncSession, page: ShownAssets): Promise<void> {
  if (page.lacking.length > 0) addFinding(session, 'LISTING_FIELDS_MISSING', page.lacking);
  const { length } = page.unreadable;
  if (length === 0) return;
  noteUnreadable(session, page);
  if (length <= page.assets.length) return;
  if (length === 1 && session.running.run.listed > 0) return;
  // The failed run goes back to its last checkpoint, and what failed it must stay.
  await session.lastPage;
  const { safe, running } = session;
  if (!safe.run.findings.some(({ code }) => code === 'ASSETS_UNREADABLE')) {
    safe.run.errors += length;
    safe.run.findings = running.run.findings;
  }
  throw new HoldfastError(
    'HOST_REJECTED',
    `${String(length)} of ${String(length + page.assets.length)} assets of a page cannot be read`,
  );
}

/** Counted, and reported with the names that the host gives them. */
export function noteUnreadable(session: SyncSession, { unreadable }: Pick<ShownAssets, 'unreadable'>): void {
  addCounts(session.running.run, { errors: unreadable.length });
  const names = unreadable.flatMap(({ assetId, publicId }) => assetId ?? publicId ?? []);
  addFinding(session, 'ASSETS_UNREADABLE', names, unreadable.length);
}

/** So many of a page are asked for: about a second, at a real distance. The others wait for the next full runs. */
const DURATIONS_A_PAGE = 50;

/** Some of the videos whose length neither their listing nor the mark nor our record shows. */
function drawSilent(steps: readonly Step[]): ReadonlySet<Step> {
  const silent = steps.filter(lacksDuration);
  // From a random one: those whose length the host never gives must not keep the others from their turn.
  const start = Math.floor(Math.random() * silent.length);
  return new Set([...silent.slice(start), ...silent.slice(0, start)].slice(0, DURATIONS_A_PAGE));
}

function lacksDuration({ asset, action, stored, look }: Step): boolean {
  if (asset.resourceType !== 'video' || asset.durationSeconds !== undefined || look) return false;
  if (action.kind === 'create' || action.kind === 'save') return action.record.durationSeconds === null;
  return action.kind === 'unchanged' && stored?.record.durationSeconds === null;
}

/** The asset with its length, by a call that is not metered. A host that does not answer keeps no video out of the catalog. */
async function learnDuration({ deps, signal }: SyncSession, asset: HostAsset): Promise<HostAsset> {
  const found = await deps.host.find(asset, signal).catch((error: unknown) => {
    if (signal.aborted || !isHoldfastError(error)) throw error;
    return null;
  });
  const isSame = found?.assetId === asset.assetId && found.version === asset.version;
  return isSame ? { ...asset, durationSeconds: found.durationSeconds } : asset;
}

/** The host has no answer about this one asset: nothing may be concluded. */
export const NO_ANSWER = 'no answer' as const;

/**
 * The asset as the host has it now: listings and above all the search index lag, and what would overwrite, restore, rewrite or remove
 * is decided by the asset itself. In a full run one that the host fails on does not hold up the others: the next run asks
 * again. A shorter run fails, since what it passes over would wait for the next full one.
 */
export async function lookAt(
  { deps, running, signal, log }: SyncSession,
  ref: AssetRef,
): Promise<HostAsset | null | typeof NO_ANSWER> {
  try {
    return await deps.host.find(ref, signal);
  } catch (error) {
    const isOfThisOne = isHoldfastError(error, 'HOST_REJECTED', 'ASSET_UNREADABLE') && !isCircuitOpen(error);
    if (signal.aborted || running.run.mode !== 'full' || !isOfThisOne) throw error;
    log.warn('sync.asset_failed', { publicId: ref.publicId, code: error.code });
    addCounts(running.run, { errors: 1 });
    return NO_ANSWER;
  }
}

/**
 * Redis forgot which Idempotency-Keys are used up, and the assets know: the keys of the last day are claimed again, of media that
 * come into the catalog and of all that a recovery meets. Before those media are created: a run that dies in between meets them
 * as new once more.
 */
async function restoreClaims(
  { deps, token, running, log }: SyncSession,
  assets: readonly HostAsset[],
  steps: readonly Step[],
): Promise<void> {
  const { trigger, dryRun } = running.run;
  if (dryRun) return;
  const met =
    trigger === 'recovery'
      ? assets
      : steps.flatMap(({ action, asset }) => (action.kind === 'create' ? [asset] : []));
  const nowMs = deps.now();
  const { folder } = deps.settings.host;
  const claims = met.flatMap((asset) => {
    const claim = takeClaim(asset.context);
    if (claim === undefined) return [];
    const carried = readHostMetadata(asset);
    if (carried?.mark.state !== 'committed') return [];
    const { id, createdAt } = carried.fields;
    const keepMs = Date.parse(createdAt) + CLAIM_KEPT_MS - nowMs;
    const isOurs =
      idFromPublicId(folder, asset) === id || carried.boundTo === bindingOf(folder, asset.assetId);
    return isOurs && keepMs > 0 ? [{ ...claim, id, keepMs }] : [];
  });
  const restored = await deps.claims.restore(claims, token);
  if (restored > 0) log.info('sync.claims_restored', { count: restored });
}
