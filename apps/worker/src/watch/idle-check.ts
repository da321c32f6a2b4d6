import type { QueueName } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/shared/logging';
import type { QueueWorker } from '../create-worker.js';
import type { Sight } from './watched-keys.js';

/** Looks in a row at which there is work while this worker, nudged, does nothing. */
const PATIENCE = 3;

/**
 * A connection may be dead without a sign, and a worker behind it sleep on while jobs wait, or never get rid of a job it
 * has done. The watch, on another connection, sees them: then the worker's connections are made anew. A paused
 * queue, or another worker that gets all the jobs, looks the same; that is harmless.
 */
export function createIdleCheck(
  workers: readonly QueueWorker[],
  log: Logger,
): (sight: Pick<Sight, 'waiting' | 'active'>) => void {
  const last = new Map<QueueName, { started: number; looks: number }>();
  return ({ waiting, active }) => {
    // A sync may run for hours elsewhere.
    const work = [...waiting, ...active.filter((queue) => queue !== 'sync')];
    for (const worker of workers) {
      const started = worker.jobsStarted();
      const before = last.get(worker.queue);
      const stuck = work.includes(worker.queue) && worker.isIdle() && before?.started === started;
      const looks = stuck ? (before.looks ?? 0) + 1 : 0;
      last.set(worker.queue, { started, looks: looks >= PATIENCE ? 0 : looks });
      if (looks < PATIENCE) continue;
      log.warn('watch.worker_asleep', { queue: worker.queue });
      worker.reconnect();
    }
  };
}
