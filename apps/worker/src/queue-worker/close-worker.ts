import type { Worker } from 'bullmq';
import type { RedisClient } from '@holdfast/shared/redis';
import { redisGone } from './redis-gone.js';

export interface CloseWorkerOptions {
  /** Of the worker. */
  connection: RedisClient;
  /** Jobs are cancelled after so long, or when the deadline aborts. */
  cancelAfterMs: number;
  deadline: AbortSignal;
}

/** Resolves once the worker's jobs have ended, or once Redis is away: BullMQ's own close would wait for ever then. */
export async function closeWorker(
  worker: Pick<Worker, 'close' | 'cancelAllJobs'>,
  { connection, cancelAfterMs, deadline }: CloseWorkerOptions,
): Promise<void> {
  const cancel = (): void => worker.cancelAllJobs('shutdown');
  const timer = setTimeout(cancel, cancelAfterMs);
  deadline.addEventListener('abort', cancel, { once: true });
  const gone = redisGone(connection);
  try {
    await Promise.race([worker.close(), gone.promise]);
  } finally {
    gone.forget();
    clearTimeout(timer);
    deadline.removeEventListener('abort', cancel);
  }
}
