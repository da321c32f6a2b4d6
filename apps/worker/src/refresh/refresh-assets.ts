import { HoldfastError } from '@holdfast/shared/errors';
import { HandBack, type RefreshPayload } from '@holdfast/shared/jobs';
import { isTransientHostError, type HostAsset } from '@holdfast/shared/media-host';
import { inParallel, LOOKS_AT_ONCE } from '../host-calls/in-parallel.js';
import type { JobContext, JobHandler } from '../job-run/job-handler.js';
import type { SyncDependencies } from '../sync-run/sync-dependencies.js';
import type { StepSession } from '../sync-run/sync-session.js';
import { applySteps } from '../reconcile/apply-steps.js';
import { readPageFacts } from '../reconcile/page-facts.js';
import { reconcileAsset } from '../reconcile/reconcile-asset.js';
import { reconcileRules } from '../reconcile/reconcile-rules.js';
import { isCovered, type Action } from '../reconcile/reconcile-step.js';
import { sightingOf } from '../reconcile/sighting.js';
import { knownRecords, type NamedAsset } from './known-records.js';
import { oneOffSession } from './one-off-session.js';
import { settleGone, WAIT_MS } from './settle-gone.js';
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
  const news = await withoutKnown(payload, deps);
  const unfound: NamedAsset[] = [];
  let open = await look(news, unfound, deps, context.signal);
  for (let left = ROUNDS; left > 0 && open.length > 0; left -= 1) {
    const written = await bringInStep(session, open);
    open = await look(written, unfound, deps, context.signal);
  }
  const { created, updated, removed, errors } = session.running.run;
  context.log.debug('refresh.looked', { change: payload.change, created, updated, removed, errors });
  if (errors > 0)
    throw new HoldfastError('HOST_REJECTED', `${String(errors)} asset(s) could not be brought in step`);
  if (payload.change === 'deleted') await settleDeleted(payload.assets, payload, deps, context);
  // Gone, though nobody said so yet, or it was said before there was a record. A renamed one is there by its id.
  else if (unfound.length > 0)
    await settleDeleted(await deniedById(unfound, deps, context.signal), payload, deps, context);
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

/** Adds to `unfound` those that the host does not have under their names. */
async function look(
  assets: readonly NamedAsset[],
  unfound: NamedAsset[],
  { host }: SyncDependencies,
  signal: AbortSignal,
): Promise<HostAsset[]> {
  const found = await inParallel(assets, LOOKS_AT_ONCE, ({ publicId, resourceType }) =>
    host.find({ publicId, resourceType }, signal),
  );
  unfound.push(...assets.filter((_, index) => found[index] === null));
  return found.filter((asset) => asset !== null);
}

/** Those of these with a record that stands for an asset which the host does not have under its id either. */
async function deniedById(
  assets: readonly NamedAsset[],
  { catalog, host, settings }: SyncDependencies,
  signal: AbortSignal,
): Promise<NamedAsset[]> {
  const known = await knownRecords(assets, catalog, settings.host.folder);
  const doubtful = assets.filter((asset, index) => {
    const record = known[index]?.record;
    return record !== undefined && record.publicId === asset.publicId;
  });
  const ids = doubtful.flatMap(({ assetId }) => assetId ?? []);
  if (ids.length === 0) return [];
  const there = new Set((await host.confirm(ids, signal)).map(({ assetId }) => assetId));
  return doubtful.filter(({ assetId }) => assetId !== null && !there.has(assetId));
}

/** Answers the assets about which something was written. */
async function bringInStep(session: StepSession, assets: readonly HostAsset[]): Promise<HostAsset[]> {
  const { deps } = session;
  const rules = reconcileRules(deps);
  const sightings = assets.map((asset) => sightingOf(asset, rules.folder, 'webhook'));
  const { records, marks } = await readPageFacts(sightings, deps);
  const steps = sightings.map((sighting) => reconcileAsset(sighting, records, marks, rules));
  await applySteps(session, steps);
  return steps.filter(({ action, restore }) => restore || writes.has(action.kind)).map(({ asset }) => asset);
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
  const known = stored.filter((entry) => entry !== null);
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
