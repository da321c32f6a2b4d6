import type { Queue } from 'bullmq';
import { verifyJob } from '@holdfast/shared/jobs';
import type { MediaRecord } from '@holdfast/shared/media';
import { fromRedisError } from '@holdfast/shared/redis';

const ownProgress = new Set(['waiting', 'active', 'delayed', 'prioritized']);

/**
 * Whether the verification of an upload, as added in this round, will still run by itself. A long backlog is progress
 * too: adding jobs again would only make it longer. A save is not asked for: acceptance has written the record.
 */
export async function isVerificationUnderWay(
  verify: Queue,
  record: MediaRecord,
  round: number,
): Promise<boolean> {
  try {
    return ownProgress.has(await verify.getJobState(verifyJob.idFor({ record, round })));
  } catch (error) {
    throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
  }
}
