import { randomUUID } from 'node:crypto';
import { withinMs } from '@holdfast/shared/lifecycle';
import type { RedisClient, RedisKeys } from '@holdfast/shared/redis';

const REFRESH_MS = 60_000;
/** Long enough to miss one refresh. */
const VALID_MS = 150_000;
/** Who cannot say that it leaves is forgotten in time. */
const LEAVE_WITHIN_MS = 1_000;

/** What a look writes for this worker. */
export interface DueRefresh {
  id: string;
  /** How long it counts as alive, in ms. */
  until: number;
  /** Workers whose time ran out before this, in ms, are taken off the list; null leaves them. */
  endBefore: number | null;
}

export interface WorkerPresence {
  /** What is to be written now; null while this worker has said a moment ago that it is alive. */
  due(): DueRefresh | null;
  /** It has been written. */
  refreshed(): void;
  /** To be told that Redis may have forgotten. */
  forget(): void;
  leave(): Promise<void>;
}

/** The list by which health checks know that a worker is alive. */
export function createWorkerPresence(redis: RedisClient, keys: RedisKeys): WorkerPresence {
  const id = randomUUID();
  let refreshedAt = -Infinity;
  return {
    due: () => {
      // A refresh that is due within a few seconds is done now: the next chance is a tick away.
      if (performance.now() - refreshedAt < REFRESH_MS - 5_000) return null;
      const now = Date.now();
      return { id, until: now + VALID_MS, endBefore: refreshedAt === -Infinity ? now : null };
    },
    refreshed: () => {
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
