import type { Catalog } from '@holdfast/shared/catalog';
import type { Barrier } from '@holdfast/shared/durability';
import { HoldfastError } from '@holdfast/foundation/errors';
import { removeJob, type MediaQueues } from '@holdfast/shared/jobs';
import { withinMs } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import type { MediaRecord } from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';
import { removeRecord } from '@holdfast/shared/removal';
import type { DeletionNotes } from '@holdfast/shared/snapshot';
import type { Answer, Input } from '../http/route.js';
import type { PublicAddress } from '../http/http-server.js';
import { findMedia, type FindDependencies } from './read-media.js';
import { acceptedMedia, expectedStates, refuseOtherState, type ExpectedStates } from './present-media.js';

export interface RemoveDependencies extends FindDependencies {
  catalog: Catalog;
  host: MediaHost;
  deletionNotes: Pick<DeletionNotes, 'add'>;
  queues: MediaQueues;
  barrier: Barrier;
  address: PublicAddress;
}

const REMOVE_WITHIN_MS = 3_000;
/** How long the tombstone may take to reach the disk before the host is asked anyway. */
const BARRIER_WITHIN_MS = 1_500;
/** Changes of others that may come between reading the record and writing the tombstone. */
const TRIES = 5;

/** Deletes for good: tombstone, then the host, then the record. */
export const removeMedia =
  (deps: RemoveDependencies) =>
  async ({ params, header, context }: Input<'id'>): Promise<Answer> => {
    const record = await beginDelete(deps, params.id, expectedStates(header('if-match')));
    await removeInTime(deps, record, context.log);
    return { status: 202, body: acceptedMedia({ ...record, status: 'deleting' }, deps.address) };
  };

/** Writes the tombstone. With `If-Match` only over a state that the client has seen. */
async function beginDelete(
  deps: RemoveDependencies,
  id: string,
  expected: ExpectedStates,
): Promise<MediaRecord> {
  const bound = expected !== null && expected !== 'any';
  for (let left = TRIES; left > 0; left -= 1) {
    const record = await findMedia(deps, id);
    if (record.status === 'deferred') throw new HoldfastError('MEDIA_UNSETTLED', 'the status is deferred');
    if (record.status !== 'deleting') refuseOtherState(expected, record);
    const outcome = await deps.catalog.beginDelete(id, bound ? record : undefined);
    // The change may be one that the client does not care about.
    if (outcome === 'conflict') continue;
    if (outcome !== 'deleting') throw new HoldfastError('MEDIA_NOT_FOUND');
    await withinMs(BARRIER_WITHIN_MS, deps.barrier.confirm(), null).catch(() => null);
    return record;
  }
  throw new HoldfastError('REVISION_MISMATCH', 'other clients keep changing this record; try again');
}

/** If the host does not confirm in time, a job carries on, or the sweep if even the job cannot be added. */
async function removeInTime(
  { host, deletionNotes, catalog, queues }: RemoveDependencies,
  record: MediaRecord,
  log: Logger,
): Promise<void> {
  const { id, publicId, resourceType } = record;
  try {
    await removeRecord({ host, deletionNotes, catalog }, record, AbortSignal.timeout(REMOVE_WITHIN_MS));
  } catch (error) {
    log.warn('media.removal_deferred', { id, error });
    await keepTombstone(catalog, id)
      .then(() => queues.add(removeJob, { id, publicId, resourceType, round: 0 }))
      .catch((reason: unknown) => log.warn('media.removal_not_queued', { id, error: reason }));
  }
}

/** Writes it again if Redis was emptied since: without it the job would do nothing, and the file would come back. */
async function keepTombstone(catalog: Catalog, id: string): Promise<void> {
  if ((await catalog.beginDelete(id)) === 'absent') await catalog.finishDelete(id);
}
