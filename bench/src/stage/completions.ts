import { QueueEvents } from 'bullmq';
import type { CleanUp } from './clean-up.js';

/** When jobs ended, from BullMQ's own event stream: nothing is polled. */
export interface Completions {
  /** `performance.now()` at which the end of this job was heard of, now or later. */
  when(jobId: string): Promise<number>;
  close(): Promise<void>;
}

export async function watchCompletions(
  queue: string,
  prefix: string,
  connection: { host: string; port: number; db?: number },
  cleanUp: CleanUp,
): Promise<Completions> {
  const events = new QueueEvents(queue, {
    prefix,
    connection: { ...connection, maxRetriesPerRequest: null },
  });
  cleanUp.defer(() => events.close());
  const heard = new Map<string, number>();
  const waiting = new Map<string, { resolve(at: number): void; reject(error: Error): void }>();
  events.on('completed', ({ jobId }) => {
    const at = performance.now();
    heard.set(jobId, at);
    waiting.get(jobId)?.resolve(at);
    waiting.delete(jobId);
  });
  events.on('failed', ({ jobId, failedReason }) => {
    waiting.get(jobId)?.reject(new Error(`${jobId} failed: ${failedReason}`));
  });
  await events.waitUntilReady();
  return {
    close: () => events.close(),
    when: (jobId) => {
      const at = heard.get(jobId);
      if (at !== undefined) return Promise.resolve(at);
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`${jobId} did not end`)), 300_000);
        const settle =
          <T>(then: (value: T) => void) =>
          (value: T): void => {
            clearTimeout(timer);
            then(value);
          };
        waiting.set(jobId, { resolve: settle(resolve), reject: settle(reject) });
      });
    },
  };
}
