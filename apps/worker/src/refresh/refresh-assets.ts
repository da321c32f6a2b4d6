import { HoldfastError } from '@holdfast/shared/errors';
import { HandBack, type RefreshPayload } from '@holdfast/shared/jobs';
import { isOnAnotherHost } from '@holdfast/shared/media';
import { isTransientHostError, isUnreadableAsset, type HostAsset } from '@holdfast/shared/media-host';
import { inParallel, LOOKS_AT_ONCE } from '../host-calls/in-parallel.js';
import type { JobContext, JobHandler } from '../job-run/job-handler.js';
import type { SyncDependencies } from '../sync-run/sync-dependencies.js';
import { addCounts, type StepSession } from '../sync-run/sync-session.js';
import { applySteps } from '../reconcile/apply-steps.js';
import { readPageFacts } from '../reconcile/page-facts.js';
import { reconcileAsset } from '../reconcile/reconcile-asset.js';
import { saysTheSame } from '../reconcile/reconcile-known.js';
import { reconcileRules } from '../reconcile/reconcile-rules.js';
import { isCovered, type Action, type Step } from '../reconcile/reconcile-step.js';
import { completed, sightingOf, type Sighting } from '../reconcile/sighting.js';
import { knownRecords, type NamedAsset } from './known-records.js';
import { oneOffSession } from './one-off-session.js';
import { AGAIN_MS, settleGone, WAIT_MS } from './settle-gone.js';
import { whereaboutsOf } from './unfound-assets.js';
import { untilRefilled, WAIT_FOR_HOST_MS } from './until-refilled.js';

const ROUNDS = 3;
const ASK_AGAIN_MS = 30_000;
/** Pages are brought in within seconds of their listing. */
const AFTER_RUN_MS = 15_000;
const writes: ReadonlySet<Action['kind']> = new Set(['create', 'adopt', 'save', 'rewrite']);

/**
 * Brings single assets in step, after a notification. The notification only says where to look: each asset is read from
 * the host and treated as a sync would. Whoever wrote looks once more, so that of two that overtake each other the last
 * one to write has seen the host after its write, also where the asset is gone by then.
 */
export function createRefreshAssets(deps: SyncDependencies): JobHandler<'refresh'> {
  return async (payload, context) => {
    await untilRefilled(payload, deps);
    try {
      await refresh(payload, context, deps);
    } catch (error) {
      const isLast = context.attempt >= deps.settings.jobs.attempts;
      if (isLast && isTransientHostError(error) && deps.now() - payload.receivedAt < WAIT_FOR_HOST_MS)
        throw new HandBack('the media host does not answer', ASK_AGAIN_MS, error);
      throw error;
    }
  };
}

async function refresh(payload: RefreshPayload, context: JobContext, deps: SyncDependencies): Promise<void> {
  const session = oneOffSession(deps, context);
  const seen: Seen = { unfound: [], busy: false };
  await keepInStep(session, await withoutKnown(payload, deps), seen);
  let gone: readonly NamedAsset[] = payload.assets;
  if (payload.change !== 'deleted') {
    // Gone, though nobody said so yet, or it was said before there was a record; or renamed, and seen under the old name.
    const whereabouts = await whereaboutsOf(seen.unfound, deps, context.signal);
    await keepInStep(session, whereabouts.moved, seen);
    ({ gone } = whereabouts);
  }
  const { created, updated, removed, errors } = session.running.run;
  context.log.debug('refresh.looked', { change: payload.change, created, updated, removed, errors });
  if (errors > 0)
    throw new HoldfastError('HOST_REJECTED', `${String(errors)} asset(s) could not be brought in step`);
  await settleDeleted(gone, payload, deps, context);
  if (seen.busy && deps.now() - payload.receivedAt < WAIT_MS)
    throw new HandBack('the record of an asset that changed is being verified', AGAIN_MS);
}

/** What came up while assets were looked at. */
interface Seen {
  /** The host does not have them under their names. */
  unfound: NamedAsset[];
  /** An asset is not what its record says, and the jobs of an edit or an upload have the say over that. */
  busy: boolean;
}

async function keepInStep(session: StepSession, assets: readonly NamedAsset[], seen: Seen): Promise<void> {
  let open = await look(assets, seen, session);
  for (let left = ROUNDS; left > 0 && open.length > 0; left -= 1)
    open = await look(await bringInStep(session, open, seen), seen, session);
}

/** Uploads through us are notified too; their records need no question. */
async function withoutKnown(
  { change, assets }: RefreshPayload,
  deps: SyncDependencies,
): Promise<NamedAsset[]> {
  const covered = assets.filter(({ publicId }) => isCovered(publicId, deps.settings.host));
  if (change !== 'uploaded') return covered;
  const known = await knownRecords(covered, deps.catalog, deps.settings.host.folder);
  return covered.filter(({ version }, index) => {
    const entry = known[index] ?? null;
    if (entry === null || version === null) return true;
    return entry.record.hostVersion < version || entry.status === 'missing' || entry.status === 'deleting';
  });
}

/** One that cannot be read fails the job, once the others have been brought in step. */
async function look(
  assets: readonly NamedAsset[],
  seen: Seen,
  { deps: { host }, signal, running }: StepSession,
): Promise<HostAsset[]> {
  const found = await inParallel(assets, LOOKS_AT_ONCE, ({ publicId, resourceType }) =>
    host.find({ publicId, resourceType }, signal).catch((error: unknown): undefined => {
      if (!isUnreadableAsset(error)) throw error;
      addCounts(running.run, { errors: 1 });
    }),
  );
  seen.unfound.push(...assets.filter((_, index) => found[index] === null));
  return found.filter((asset) => asset !== null && asset !== undefined);
}

/** Answers the assets about which something was written. */
async function bringInStep(
  session: StepSession,
  assets: readonly HostAsset[],
  seen: Seen,
): Promise<HostAsset[]> {
  const { deps } = session;
  const rules = reconcileRules(deps);
  const sightings = assets.map((asset) => sightingOf(asset, rules.folder, 'webhook'));
  const { records, marks } = await readPageFacts(sightings, deps);
  const steps = sightings.map((sighting) => reconcileAsset(sighting, records, marks, rules));
  await applySteps(session, steps);
  if (steps.some((step, index) => isInHand(step, sightings[index], rules.folder))) seen.busy = true;
  return steps.filter(({ action, restore }) => restore || writes.has(action.kind)).map(({ asset }) => asset);
}

function isInHand({ action, stored }: Step, sighting: Sighting | undefined, folder: string): boolean {
  if (action.kind !== 'left' || action.why !== 'in hand' || stored === null || sighting === undefined)
    return false;
  return !saysTheSame(completed(sighting, stored.record, folder), stored);
}

/**
 * What the host deleted is looked up once more right before it counts as gone. A run that is under way may have listed it
 * before, and be about to bring it in or back: then this comes again.
 */
async function settleDeleted(
  assets: readonly NamedAsset[],
  { receivedAt }: Pick<RefreshPayload, 'receivedAt'>,
  deps: SyncDependencies,
  context: JobContext,
): Promise<void> {
  const { signal } = context;
  const stored = await knownRecords(assets, deps.catalog, deps.settings.host.folder);
  const known = stored
    .filter((entry) => entry !== null)
    .filter(({ record }) => !isOnAnotherHost(record.url, deps.host.identity));
  const mayComeIn = stored.some((entry) => entry === null || entry.status === 'missing');
  const isAwaited =
    mayComeIn && deps.now() - receivedAt < WAIT_MS && (await deps.state.readRunning()) !== null;
  const found = await inParallel(known, LOOKS_AT_ONCE, ({ record }) =>
    deps.host.find({ publicId: record.publicId, resourceType: record.resourceType }, signal),
  );
  // Another asset under the same name is not the one that was deleted.
  const gone = known.filter(({ record }, index) => found[index]?.assetId !== record.assetId);
  await settleGone(gone, deps, receivedAt, context);
  if (isAwaited) throw new HandBack('a run may have listed a deleted asset before', AFTER_RUN_MS);
}
