import { HoldfastError, isHoldfastError } from '@holdfast/shared/errors';
import { failpoint } from '@holdfast/shared/failpoint';
import { isAccepted, type FulfilledClaim, type Intents } from '@holdfast/shared/intents';
import type { MediaQueues } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/shared/logging';
import type { MediaRecord } from '@holdfast/shared/media';
import type { DeferredUploads } from './deferred-uploads.js';
import type { OpenedAhead } from './opened-ahead.js';

export interface Accepting {
  intents: Pick<Intents, 'accept'>;
  queues: Pick<MediaQueues, 'jobsOf'>;
  deferred: DeferredUploads;
  openedAhead: Pick<OpenedAhead, 'propose'>;
  log: Logger;
}

/** How an upload stands when it is accepted. */
interface UploadStanding {
  /** The asset has carried the commit mark since before this request: it counts, whoever put it there. */
  committed: boolean;
  /** The client waits until the media is verified. */
  awaited: boolean;
  claim: FulfilledClaim | null;
  /** Whether nobody can have given the upload up meanwhile. */
  isFresh: () => boolean;
}

/**
 * The last step before the acknowledgement, for an asset that carries the commit mark: the record enters the catalog, its
 * claim is fulfilled and its jobs enter the queue, all at once. With Redis away it is deferred, as long as nobody may have
 * given the upload up meanwhile. Throws UPLOAD_EXPIRED or QUEUE_UNAVAILABLE: the upload must then be undone; MEDIA_NOT_FOUND when the
 * media was deleted before.
 */
export async function acceptUpload(
  { intents, queues, deferred, openedAhead, log }: Accepting,
  record: MediaRecord,
  { committed, awaited, claim, isFresh }: UploadStanding,
): Promise<MediaRecord> {
  try {
    // While the heartbeat is fresh nobody can have given the upload up: an intent that is gone was wiped with Redis, and
    // a sync may be adopting the asset at this moment.
    const jobs = await queues.jobsOf(record, awaited);
    const next = openedAhead.propose();
    const outcome = await intents.accept({ record, committed: committed || isFresh(), claim, jobs, next });
    if (outcome === 'tombstoned') throw new HoldfastError('MEDIA_NOT_FOUND', 'the media was deleted');
    if (!isAccepted(outcome)) throw new HoldfastError('UPLOAD_EXPIRED');
    if (outcome === 'unqueued') log.warn('upload.not_queued', { id: record.id });
  } catch (error) {
    if (!isHoldfastError(error, 'QUEUE_UNAVAILABLE') || !isFresh() || !deferred.add(record, settled(claim)))
      throw error;
    log.warn('upload.deferred', { id: record.id });
    return { ...record, status: 'deferred' };
  }
  failpoint('upload.accepted');
  return record;
}

/** Acknowledged: it counts, whoever has the claim by then. */
function settled(claim: FulfilledClaim | null): FulfilledClaim | null {
  return claim === null ? null : { ...claim, exclusive: false };
}
