import type { Finding } from '@holdfast/shared/durability';
import type { MediaQueues } from '@holdfast/shared/jobs';

/** A worker's watch needs a minute to notice a lost wake-up, and as long to make dead connections anew. */
const TAKEN_WITHIN_MS = 150_000;

const notTaken: Finding = {
  code: 'SYNC_NOT_TAKEN',
  severity: 'warning',
  message: 'A sync should have begun minutes ago, and no worker takes it.',
  fix: 'Resume the queue "sync" in Bull Board where it is paused; else restart the workers, and report what they log.',
};

/** A sync that is due for long while none runs: those of a fleet run one at a time. Rejects when Redis does not serve. */
export async function syncNotTaken({ queues: { sync } }: Pick<MediaQueues, 'queues'>): Promise<Finding[]> {
  const [active, first] = await Promise.all([
    sync.getActiveCount(),
    sync.getJobs(['wait', 'prioritized', 'delayed'], 0, 0, true),
  ]);
  const latest = Date.now() - TAKEN_WITHIN_MS;
  // A job may be gone between its list and its data.
  const isDue = first.some((job) => (job?.timestamp ?? Infinity) + (job?.delay ?? 0) < latest);
  return active === 0 && isDue ? [notTaken] : [];
}
