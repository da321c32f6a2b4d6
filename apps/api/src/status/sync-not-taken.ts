import type { Finding } from '@holdfast/shared/durability';
import type { WorkerSources } from './count-workers.js';

/** A worker's watch needs a minute to notice a lost wake-up, and as long to make dead connections anew. */
const TAKEN_WITHIN_MS = 150_000;

const notTaken: Finding = {
  code: 'SYNC_NOT_TAKEN',
  severity: 'warning',
  message: 'A sync should have begun minutes ago, and no worker takes it.',
  fix: 'Resume the queue "sync" in Bull Board where it is paused; else restart the workers, and report what they log.',
};

/** BullMQ's score of a delayed job is the time when it is due, followed by 12 bits of its own. */
const SCORE_OF_A_MILLISECOND = 0x1000;

/**
 * A sync that is due for long while none runs: those of a fleet run one at a time. Only workers end a delay, so where none takes
 * the queue the next run of the schedule, or one after uploads, stays delayed past its time. A job that was handed back is due
 * when its new delay ends, however old it is. Rejects when Redis does not serve.
 */
export async function syncNotTaken({ queues, redis, keys }: WorkerSources): Promise<Finding[]> {
  const [active, [, score = Infinity]] = await Promise.all([
    queues.queues.sync.getActiveCount(),
    redis.request.zrange(keys.queue('sync', 'delayed'), '0', '0', 'WITHSCORES'),
  ]);
  const dueAt = Number(score) / SCORE_OF_A_MILLISECOND;
  return active === 0 && dueAt < Date.now() - TAKEN_WITHIN_MS ? [notTaken] : [];
}
