import type { Catalog } from '@holdfast/shared/catalog';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { MediaQueues } from '@holdfast/shared/jobs';
import { pushRecord, type PushDependencies } from '@holdfast/shared/push';
import { removeRecord, type RemovalDependencies } from '@holdfast/shared/removal';
import { noteFailure, type JobHandler } from './run-job.js';

// What an API could not finish on the host in time: an edit, and a deletion.

export interface PushMediaDependencies extends PushDependencies {
  catalog: PushDependencies['catalog'] & Pick<Catalog, 'find' | 'noteFailure'>;
  queues: Pick<MediaQueues, 'enqueueUpload'>;
}

/** Writes the current revision of a record to its asset, and has edits that came in from there verified. */
export function createPushMedia(deps: PushMediaDependencies): JobHandler<'push'> {
  const { catalog, queues } = deps;
  return async (payload, { signal, log, attempt }) => {
    const { id } = payload;
    // An earlier try may have taken an edit in from the host and been cut off before its jobs were added.
    const left = await catalog.find(id);
    if (left?.status === 'saving') await queues.enqueueUpload(left);
    const { outcome, joined } = await pushRecord(deps, id, signal);
    if (joined !== null) await queues.enqueueUpload(joined);
    if (outcome !== 'missing') return;
    log.warn('push.asset_missing', { id });
    const error = new HoldfastError('MEDIA_NOT_FOUND', 'the host does not have this file');
    // Stays on the list of edits that the host lacks: the asset may come back.
    await noteFailure(catalog, { name: 'push', payload, attempt, final: false, error });
  };
}

export interface RemoveMediaDependencies extends RemovalDependencies {
  catalog: RemovalDependencies['catalog'] & Pick<Catalog, 'find' | 'isTombstoned'>;
}

/** Removes a deleted file from the host, then its record. Only what has a tombstone, and only the asset that was deleted. */
export function createRemoveMedia(deps: RemoveMediaDependencies): JobHandler<'remove'> {
  return async ({ id, publicId, resourceType }, { signal, log }) => {
    if (!(await deps.catalog.isTombstoned(id))) {
      log.warn('remove.no_tombstone', { id });
      return;
    }
    const { assetId, url } = (await deps.catalog.find(id)) ?? { assetId: null, url: null };
    await removeRecord(deps, { id, publicId, resourceType, assetId, url }, signal);
  };
}
