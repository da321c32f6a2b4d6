import { HoldfastError } from '@holdfast/foundation/errors';
import { pushRecord, type PushDependencies } from '@holdfast/shared/push';
import { removeRecord, type RemovalDependencies } from '@holdfast/shared/removal';
import type { Dependencies } from './dependencies.js';
import type { JobHandler } from './run-job.js';
import type { SyncDependencies } from './sync-run/sync-session.js';

// What an API could not finish on the host in time: an edit, and a deletion.

/** Writes the current revision of a record to its asset, and has edits that came in from there verified. */
export function createPushMedia(
  deps: PushDependencies & Pick<Dependencies, 'catalog' | 'queues'>,
): JobHandler<'push'> {
  const { catalog, queues } = deps;
  return async ({ id }, { signal, log, attempt }) => {
    // An earlier try may have taken an edit in from the host and been cut off before its jobs were added.
    const left = await catalog.find(id);
    if (left?.status === 'saving') await queues.enqueueUpload(left);
    const { outcome, joined } = await pushRecord(deps, id, signal);
    if (joined !== null) await queues.enqueueUpload(joined);
    if (outcome !== 'missing') return;
    log.warn('push.asset_missing', { id });
    const error = new HoldfastError('MEDIA_NOT_FOUND', 'the host does not have this file');
    // Stays on the list of edits that the host lacks: the asset may come back.
    await catalog.noteFailure({ id, revision: 0, attempts: attempt, final: false, error });
  };
}

/** Removes a deleted file from the host, then its record. Only what has a tombstone, and only the asset that was deleted. */
export function createRemoveMedia(
  deps: RemovalDependencies & Pick<Dependencies, 'catalog'>,
): JobHandler<'remove'> {
  return async ({ id, publicId, resourceType }, { signal, log }) => {
    if (!(await deps.catalog.isTombstoned(id))) {
      log.warn('remove.no_tombstone', { id });
      return;
    }
    const { assetId, url } = (await deps.catalog.find(id)) ?? { assetId: null, url: null };
    await removeRecord(deps, { id, publicId, resourceType, assetId, url }, signal);
  };
}

/** Keeps for status what the host said where a removal asked for an asset by its id, which is a metered call. */
export function keepBudget(
  { host, state }: Pick<SyncDependencies, 'host' | 'state'>,
  handler: JobHandler<'remove'>,
): JobHandler<'remove'> {
  return async (payload, context) => {
    const calls = host.meteredCalls();
    try {
      await handler(payload, context);
    } finally {
      if (host.meteredCalls() > calls) await state.noteBudget(host.budget()).catch(() => undefined);
    }
  };
}
