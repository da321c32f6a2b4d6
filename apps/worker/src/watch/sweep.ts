import { randomUUID } from 'node:crypto';
import { defineScript, fromRedisError, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import type { Logger } from '@holdfast/shared/logging';

const LEASE_MS = 30_000;
/** A sweep ends before its lease does, so that there is one at a time; what it did not reach is for the next one. */
const LIMIT_MS = 25_000;

/** Ends the lease where it is still ours. */
const release = defineScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`);

export type SweepStep = (signal: AbortSignal) => Promise<void>;

/**
 * Runs all sweeps, one process at a time in the fleet. The lease only saves work: each step is safe beside another,
 * since scripts decide who may destroy what. Rejects once all have ended, where one of them failed.
 */
export async function sweep(
  redis: RedisClient,
  keys: RedisKeys,
  steps: Readonly<Record<string, SweepStep>>,
  stopping: AbortSignal,
  log: Logger,
): Promise<void> {
  const token = randomUUID();
  try {
    if ((await redis.set(keys.sweepLease, token, 'PX', LEASE_MS, 'NX')) === null) return;
  } catch (error) {
    throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
  }
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(LIMIT_MS)]);
  try {
    // Side by side: one that has much to ask of a host that is far away must not keep the others from their turn.
    const ended = await Promise.allSettled(
      Object.entries(steps).map(async ([name, step]) => {
        try {
          await step(signal);
        } catch (error) {
          log.warn('sweep.step_failed', { step: name, error });
          throw error;
        }
      }),
    );
    const failed = ended.find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  } finally {
    await release(redis, [keys.sweepLease], [token]).catch(() => undefined);
  }
}
