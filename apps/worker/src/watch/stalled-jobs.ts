import { queueNames, streamOptions, type QueueName } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/foundation/logging';
import { redisEdge, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import type { QueueWorker } from '../create-worker.js';
import type { WatchedState } from './watched-state.js';

/** Looks in a row at which jobs wait while this worker, nudged, does nothing. */
const PATIENCE = 3;
/** The same while jobs are in hand: those of a worker that was killed are, until their locks end and the stalled check moves them. */
const PATIENCE_IN_HAND = 10;
/** Shorter than this the worker's own timer may still be on its way. */
const OVERDUE_MS = 1_000;

type JobsSeen = Pick<WatchedState, 'waiting' | 'active' | 'delayed'>;

/**
 * What BullMQ's own polling would notice (docs/decisions/0008-our-own-watch.md). The function moves jobs of dead workers back
 * to wait, wakes idle workers, and reconnects one of ours that does not wake up.
 */
export function createStalledJobs(
  { redis, keys, log }: { redis: RedisClient; keys: RedisKeys; log: Logger },
  workers: readonly QueueWorker[],
  onError: (error: Error) => void,
): (seen: JobsSeen) => Promise<void> {
  const last = new Map<QueueName, { started: number; looks: number }>();

  /** Not waited for: it goes over another connection, and must not hold up the next look. */
  const recover = ({ active }: JobsSeen): void => {
    const note = (queue: QueueName, { length: count }: readonly string[]): void => {
      if (count > 0) log.warn('watch.stalled_jobs_recovered', { queue, count });
    };
    for (const worker of workers.filter(({ queue }) => active.includes(queue)))
      worker.recoverStalled().then((ids) => note(worker.queue, ids), onError);
  };

  /**
   * A connection may be dead without a sign, and a worker behind it sleep on while jobs wait, or never get rid of a job it
   * has done. The watch sees them over another connection: then the worker reconnects. A paused queue, or
   * another worker that gets all the jobs, looks the same; that is harmless.
   */
  const reconnectSleepers = ({ waiting, active }: JobsSeen): void => {
    for (const worker of workers) {
      const { queue } = worker;
      const started = worker.jobsStarted();
      const before = last.get(queue);
      const waits = waiting.includes(queue);
      // A sync may run for hours elsewhere.
      const isInHand = queue !== 'sync' && active.includes(queue);
      const isStuck = (waits || isInHand) && worker.isIdle() && before?.started === started;
      const looks = isStuck ? before.looks + 1 : 0;
      const isAsleep = looks >= (waits ? PATIENCE : PATIENCE_IN_HAND);
      last.set(queue, { started, looks: isAsleep ? 0 : looks });
      if (!isAsleep) continue;
      log.warn('watch.worker_asleep', { queue });
      worker.reconnect();
    }
  };

  return async (seen) => {
    recover(seen);
    await nudgeQueues(redis, keys, [...new Set([...seen.waiting, ...overdueQueues(seen.delayed)])]);
    reconnectSleepers(seen);
  };
}

/**
 * Wakes idle workers: BullMQ's wake-up for a job goes to one connection and is lost with it, and a worker of ours
 * blocks for many minutes. A needless nudge is harmless. Throws QUEUE_UNAVAILABLE.
 */
export async function nudgeQueues(
  redis: RedisClient,
  keys: RedisKeys,
  queues: readonly QueueName[],
): Promise<void> {
  const nudge = (queue: QueueName): Promise<unknown> => redis.zadd(keys.queue(queue, 'marker'), 0, '0');
  await redisEdge('QUEUE_UNAVAILABLE')(() => Promise.all(queues.map(nudge)));
}

/**
 * Tells BullMQ how many events to keep of each queue: its own default costs megabytes. It says so itself when a queue is opened, but
 * our connections are not there yet then, and Redis may be emptied later. Throws QUEUE_UNAVAILABLE.
 */
export async function shortenEventStreams(redis: RedisClient, keys: RedisKeys): Promise<void> {
  const { maxLen } = streamOptions.streams.events;
  const shorten = (queue: QueueName): Promise<unknown> =>
    redis.hset(keys.queue(queue, 'meta'), 'opts.maxLenEvents', maxLen);
  await redisEdge('QUEUE_UNAVAILABLE')(() => Promise.all(queueNames.map(shorten)));
}

/** The queues whose first delayed job should have started by now. */
function overdueQueues(delayed: WatchedState['delayed']): QueueName[] {
  const latest = Date.now() - OVERDUE_MS;
  return queueNames.filter((queue) => (delayed[queue] ?? Infinity) < latest);
}
