import type { StoredRecord } from '@holdfast/shared/catalog';
import { HoldfastError } from '@holdfast/foundation/errors';
import { HandBack, type RefreshPayload } from '@holdfast/shared/jobs';
import { idFromPublicId, idOfFoundAsset, isOnAnotherHost } from '@holdfast/shared/media';
import { isTransientHostError, isUnreadableAsset } from '@holdfast/shared/media-host';
import type { JobContext, JobHandler } from '../run-job.js';
import { applySteps, verifyOpen } from '../reconcile/apply.js';
import { isCovered } from '../reconcile/page-facts.js';
import { decideAssets } from '../reconcile/reconcile-page.js';
import { inParallel, LOOKS_AT_ONCE } from '../sync-run/host-calls.js';
import type { AssetWork, SyncDependencies } from '../sync-run/sync-session.js';

type NamedAsset = RefreshPayload['assets'][number];

/** The host may be away for longer than the tries of a job last; after this time a sync has seen it all. */
const WAIT_FOR_HOST_MS = 20 * 60_000;
const ASK_AGAIN_MS = 30_000;

/**
 * Brings single assets in step, after a notification. The notification only says where to look: each asset is read from
 * the host and treated as a sync would. What changes there in the same moment, or while the jobs of an upload or an edit still work on
 * the record, is seen by the next run.
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

/** Notifications are many: the longer they have waited, the more rarely they ask. */
const REFILL_SOON_MS = 2_000;
const REFILL_LATER_MS = 60_000;

/**
 * The tombstones, too, come back with the recovery: before it, what was deleted would come in. Where the host gives no
 * listing for so long, its single assets are better than nothing.
 */
async function untilRefilled(
  { receivedAt }: RefreshPayload,
  { state, now }: SyncDependencies,
): Promise<void> {
  const waitedMs = now() - receivedAt;
  if (waitedMs >= WAIT_FOR_HOST_MS || (await state.readRefill()).lastFullAt !== null) return;
  const delayMs = Math.min(Math.max(waitedMs, REFILL_SOON_MS), REFILL_LATER_MS);
  throw new HandBack('the catalog must be refilled first', delayMs);
}

/**
 * Reads these assets from the host and brings their records in step. Writes without the lease of a run: each only over what was read.
 * What could not be read, written or verified fails the job, once the others are in step. What the host does not have under its name
 * is left: it has been renamed or deleted since, which another notification says, or a sync sees.
 */
async function refresh(payload: RefreshPayload, context: JobContext, deps: SyncDependencies): Promise<void> {
  const work: AssetWork = { ...deps, ...context, token: null };
  let failed = 0;
  const found = await inParallel(await withoutKnown(payload, deps), LOOKS_AT_ONCE, (named) =>
    work.host.find(named, work.signal).catch((error: unknown) => {
      if (!isUnreadableAsset(error)) throw error;
      failed += 1;
      return null;
    }),
  );
  const there = found.filter((asset) => asset !== null);
  const steps = await decideAssets(there, work, 'webhook');
  failed += await verifyOpen(work, await applySteps(work, steps, work.now()));
  failed += steps.filter(({ outcome }) => outcome === 'failed').length;
  if (failed > 0)
    throw new HoldfastError('HOST_REJECTED', `${String(failed)} asset(s) could not be brought in step`);
  if (payload.change === 'deleted') await settleDeleted(payload, work);
}

/** Cloudinary notifies of our own uploads too; their records need no look. */
async function withoutKnown({ change, assets }: RefreshPayload, deps: SyncDependencies) {
  const covered = assets.filter(({ publicId }) => isCovered(publicId, deps.settings.host));
  if (change !== 'uploaded') return covered;
  const known = await knownRecords(covered, deps);
  return covered.filter(({ version }, index) => {
    const entry = known[index] ?? null;
    if (entry === null || version === null) return true;
    return entry.record.hostVersion < version || entry.status === 'missing' || entry.status === 'deleting';
  });
}

/** What may still come in is waited for, but not for ever: a full sync comes anyway. */
const WAIT_MS = 60_000;
const AGAIN_MS = 5_000;

/**
 * What the host deleted is looked up once more right before it counts as gone. While its record is being saved, or a run is under way
 * that may have listed it before, and be about to bring it in or back, this comes again.
 */
async function settleDeleted({ assets, receivedAt }: RefreshPayload, work: AssetWork): Promise<void> {
  const { catalog, host, state, deletionNotes, now, signal, log } = work;
  const isRecent = now() - receivedAt < WAIT_MS;
  const stored = await knownRecords(assets, work);
  const known = stored
    .filter((entry) => entry !== null)
    .filter(({ record }) => !isOnAnotherHost(record.url, host.identity));
  const mayComeIn = stored.some((entry) => entry === null || entry.status === 'missing');
  const isListed = mayComeIn && isRecent && (await state.readRefill()).running !== null;
  const found = await inParallel(known, LOOKS_AT_ONCE, ({ record }) => host.find(record, signal));
  // Another asset under the same name is not the one that was deleted.
  const gone = known.filter(({ record }, index) => found[index]?.assetId !== record.assetId);
  for (const { id, record } of gone.filter(({ status }) => status === 'deleting')) {
    await deletionNotes.add(id, signal);
    await catalog.finishDelete(id, record.assetId);
  }
  const ids = gone.flatMap(({ id, status }) => (status === 'verified' || status === 'failed' ? [id] : []));
  if (ids.length > 0) {
    await catalog.markMissing(ids, null);
    log.warn('refresh.media_missing', { ids });
  }
  if (isListed || (isRecent && gone.some(({ status }) => status === 'saving')))
    throw new HandBack('a deleted asset may still come in', AGAIN_MS);
}

/** The record of each asset that a notification names, or null. A record of another asset that had the name before does not count. */
async function knownRecords(assets: readonly NamedAsset[], { catalog, settings }: SyncDependencies) {
  const ids = assets.flatMap((asset) => [
    idFromPublicId(settings.host.folder, asset) ?? '',
    idOfFoundAsset(asset.assetId ?? ''),
  ]);
  const stored = await catalog.findStored(ids);
  return assets.map((asset, index) => {
    const found = stored.slice(2 * index, 2 * index + 2);
    return found.find((entry) => entry !== null && isRecordOf(entry, asset)) ?? null;
  });
}

function isRecordOf({ record }: StoredRecord, { assetId, publicId, resourceType }: NamedAsset): boolean {
  if (assetId !== null) return record.assetId === assetId;
  return record.publicId === publicId && record.resourceType === resourceType;
}
