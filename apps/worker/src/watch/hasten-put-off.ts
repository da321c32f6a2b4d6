import { queueNames, type MediaQueues, type QueueName } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/shared/logging';
import { fromRedisError, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import { CLOCKS_DIFFER_MS } from './clock-set-back.js';
import { SCORE_PER_MS } from './watched-keys.js';

export interface HastenDependencies {
  redis: RedisClient;
  keys: RedisKeys;
  queues: Pick<MediaQueues, 'queues'>;
  log: Logger;
}

/** From the far end. More than these wait only where many jobs failed while the clock was wrong; the next start sees to the rest. */
const AT_ONCE = 500;

/**
 * Jobs that would wait longer than they were told to: a clock that was ahead reckoned their time, and was set right since. They
 * wait as long as was meant, from now on. The recurring sync has a schedule of its own (schedules.ts).
 */
export async function hastenPutOff(deps: HastenDependencies): Promise<void> {
  for (const queue of queueNames) {
    const count = await hastenIn(queue, deps);
    if (count > 0) deps.log.warn('watch.jobs_hastened', { queue, count });
  }
}

async function hastenIn(name: QueueName, { redis, keys, queues }: HastenDependencies): Promise<number> {
  const queue = queues.queues[name];
  let count = 0;
  try {
    const last = await redis.zrange(keys.queue(name, 'delayed'), -AT_ONCE, '-1', 'WITHSCORES');
    const now = Date.now();
    for (let at = 0; at < last.length; at += 2) {
      const waitsMs = Number(last[at + 1]) / SCORE_PER_MS - now;
      if (waitsMs <= CLOCKS_DIFFER_MS) continue;
      const job = await queue.getJob(last[at] ?? '');
      if (job === undefined || job.repeatJobKey !== undefined) continue;
      if (waitsMs <= job.delay + CLOCKS_DIFFER_MS) continue;
      // Another worker may have done it, or taken it, by now.
      count += await job.changeDelay(job.delay).then(
        () => 1,
        () => 0,
      );
    }
  } catch (error) {
    throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
  }
  return count;
}
