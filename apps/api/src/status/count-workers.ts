import type { Settings } from '@holdfast/shared/config';
import type { MediaQueues } from '@holdfast/shared/jobs';
import type { RedisClient, RedisKeys } from '@holdfast/shared/redis';

export interface WorkerSources {
  settings: Pick<Settings, 'redis'>;
  redis: { request: RedisClient };
  keys: Pick<RedisKeys, 'workers' | 'queue'>;
  queues: Pick<MediaQueues, 'queues'>;
}

/**
 * How many workers are alive. They say so every minute, which a killed one cannot take back; so as many as also have a
 * connection now, where the server lets us see that. Rejects when Redis does not serve.
 */
export async function countWorkers({ settings, redis, keys, queues }: WorkerSources): Promise<number> {
  const [announced, connected] = await Promise.all([
    redis.request.zcount(keys.workers, `(${String(Date.now())}`, '+inf'),
    // A proxy in front of the server knows its own connections only.
    settings.redis.storageType === 'Upstash Redis' ? Infinity : connectedWorkers(queues),
  ]);
  return Math.min(announced, connected);
}

/** Infinity where the server does not tell: BullMQ then gives one entry without an address, or passes the refusal on. */
async function connectedWorkers({ queues }: WorkerSources['queues']): Promise<number> {
  const found = await queues.verify.getWorkers().catch(() => null);
  if (found === null || found.some((worker) => worker['addr'] === undefined)) return Infinity;
  return found.length;
}
