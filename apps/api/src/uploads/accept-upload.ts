import { HoldfastError, isHoldfastError } from '@holdfast/shared/errors';
import { failpoint } from '@holdfast/shared/failpoint';
import type { Intents } from '@holdfast/shared/intents';
import type { MediaQueues } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/shared/logging';
import type { MediaRecord } from '@holdfast/shared/media';
import type { DeferredUploads } from './deferred-uploads.js';
import type { Heartbeat } from './heartbeat.js';

export interface Accepting {
  intents: Pick<Intents, 'accept'>;
  queues: Pick<MediaQueues, 'enqueueUpload'>;
  deferred: DeferredUploads;
  heartbeat: Heartbeat;
  log: Logger;
}

/**
 * The last step before the acknowledgement, for an asset that carries the commit mark: the record enters the catalog and
 * its jobs the queue. With Redis away it is deferred, as long as nobody may have given the upload up meanwhile.
 * Throws UPLOAD_EXPIRED or QUEUE_UNAVAILABLE: the upload must then be undone.
 */
export async function acceptUpload(
  { intents, queues, deferred, heartbeat, log }: Accepting,
  record: MediaRecord,
): Promise<MediaRecord> {
  try {
    // While the heartbeat is fresh nobody can have given the upload up: an intent that is gone was wiped with Redis, and
    // a sync may be adopting the asset at this moment.
    const outcome = await intents.accept(record, heartbeat.isFresh(record.id));
    if (outcome !== 'accepted')
      throw new HoldfastError('UPLOAD_EXPIRED', undefined, { retryAfterSeconds: 1 });
  } catch (error) {
    if (
      !isHoldfastError(error, 'QUEUE_UNAVAILABLE') ||
      !heartbeat.isFresh(record.id) ||
      !deferred.add(record)
    )
      throw error;
    log.warn('upload.deferred', { id: record.id });
    return { ...record, status: 'deferred' };
  }
  failpoint('upload.accepted');
  // The intent is settled: whatever happens to these jobs, the sweep adds them again.
  await queues
    .enqueueUpload(record)
    .catch((error: unknown) => log.warn('upload.enqueue_failed', { id: record.id, error }));
  failpoint('upload.enqueued');
  return record;
}
