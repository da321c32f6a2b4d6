import type { Backoff } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import type { FulfilledClaim, Intents } from '@holdfast/shared/intents';
import type { MediaQueues } from '@holdfast/shared/jobs';
import type { MediaRecord } from '@holdfast/shared/media';
import { createRetryQueue } from './retry-queue.js';

/**
 * Uploads that were acknowledged while Redis was away. The host carries all of them, with the commit mark, so losing this
 * memory loses nothing: a sync finds them. It only makes them appear sooner, and answers for them until then.
 */
export function createDeferredUploads(deps: {
  intents: Pick<Intents, 'accept'>;
  queues: Pick<MediaQueues, 'jobsOf'>;
  newBackoff: () => Backoff;
  log: Logger;
}) {
  const { intents, queues, log } = deps;
  const held = createRetryQueue(
    async ({ record, claim }: { record: MediaRecord; claim: FulfilledClaim | null }) => {
      const jobs = queues.jobsOf(record);
      const outcome = await intents.accept({ record, committed: true, claim, jobs });
      log.info('upload.deferred_settled', { id: record.id, outcome });
    },
    deps,
  );
  return {
    ...held,
    /** False when too many are held already: the upload must then be refused. Its claim is fulfilled with it. */
    add: (record: MediaRecord, claim: FulfilledClaim | null): boolean =>
      held.add(record.id, { record, claim }),
    find: (id: string): MediaRecord | null => {
      const upload = held.find(id);
      return upload === undefined ? null : { ...upload.record, status: 'deferred' };
    },
  };
}
