import { randomUUID } from 'node:crypto';
import { withinMs } from '@holdfast/shared/lifecycle';
import { fromRedisError, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';

const REFRESH_MS = 60_000;
/** Long enough to miss one refresh. */
const VALID_MS = 150_000;
/** Who cannot say that it leaves is forgotten in time. */
const LEAVE_WITHIN_MS = 1_000;

export interface WorkerPresence {
  /** Says that this worker is alive, unless it said so a moment ago. */
  refresh(): Promise<void>;
  /** To be told that Redis may have forgotten. */
  forget(): void;
  leave(): Promise<void>;
}

/** The list by which health checks know that a worker is alive. */
export function createWorkerPresence(redis: RedisClient, keys: RedisKeys): WorkerPresence {
  const id = randomUUID();
  let refreshedAt = -Infinity;
  return {
    refresh: async () => {
      // A refresh that is due within a few seconds is done now: the next chance is a tick away.
      if (performance.now() - refreshedAt < REFRESH_MS - 5_000) return;
      const first = refreshedAt === -Infinity;
      const now = Date.now();
      try {
        if (first) await redis.zremrangebyscore(keys.workers, '-inf', now);
        await redis.zadd(keys.workers, now + VALID_MS, id);
      } catch (error) {
        throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
      }
      refreshedAt = performance.now();
    },
    forget: () => {
      refreshedAt = -Infinity;
    },
    leave: async () => {
      if (redis.status !== 'ready') return;
      const left = redis.zrem(keys.workers, id).catch(() => undefined);
      await withinMs(LEAVE_WITHIN_MS, left, undefined);
    },
  };
}
