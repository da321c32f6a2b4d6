import type { Queue } from 'bullmq';
import { saveJob, verifyJob, type QueueName } from '@holdfast/shared/jobs';
import type { MediaRecord } from '@holdfast/shared/media';
import { fromRedisError } from '@holdfast/shared/redis';

const ownProgress = new Set(['waiting', 'active', 'delayed', 'prioritized']);
/** A save that failed for good waits for the operator, and its verification with it. */
const saveHolds = new Set([...ownProgress, 'failed']);

/**
 * Whether the jobs of an upload, as added in this round, will still run by themselves. A long backlog is progress too:
 * adding jobs again would only make it longer. A verification that waits for a save that is not there never runs.
 */
export async function hasJobsUnderWay(
  queues: Record<QueueName, Queue>,
  record: MediaRecord,
  round: number,
): Promise<boolean> {
  const payload = { record, round };
  try {
    const verify = await queues.verify.getJobState(verifyJob.idFor(payload));
    if (verify !== 'waiting-children') return ownProgress.has(verify);
    return saveHolds.has(await queues.save.getJobState(saveJob.idFor(payload)));
  } catch (error) {
    throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
  }
}
