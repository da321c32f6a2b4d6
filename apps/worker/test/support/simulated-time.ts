import { HandBack, type SyncPayload } from '@holdfast/shared/jobs';
import type { RunJob } from './sync-rig.js';

/** A run that was asked for, with the simulated times at which it was due and had ended. */
export interface EndedJob {
  payload: Partial<SyncPayload>;
  dueMs: number;
  endedMs: number;
}

interface Waiting {
  payload: Partial<SyncPayload>;
  dueMs: number;
  atMs: number;
}

interface Happening {
  everyMs: number;
  nextMs: number;
  happen: () => Promise<void> | void;
}

/**
 * A clock that moves only as fast as the work is done, the queue of one worker, and what happens meanwhile. A job that is
 * handed back waits as BullMQ would let it wait.
 */
export function simulateTime(startMs: number) {
  let nowMs = startMs;
  const happenings: Happening[] = [];
  const waiting: Waiting[] = [];
  const ended: EndedJob[] = [];

  const nextOf = (): Happening | undefined => happenings.toSorted((a, b) => a.nextMs - b.nextMs)[0];
  /** Also while a job waits, things happen; other jobs do not. */
  const pass = async (untilMs: number): Promise<void> => {
    for (let next = nextOf(); next !== undefined && next.nextMs <= untilMs; next = nextOf()) {
      nowMs = Math.max(nowMs, next.nextMs);
      next.nextMs += next.everyMs;
      await next.happen();
    }
    nowMs = Math.max(nowMs, untilMs);
  };

  return {
    now: (): number => nowMs,
    pause: (ms: number): Promise<void> => pass(nowMs + ms),
    ended,
    every: (everyMs: number, happen: Happening['happen']): void =>
      void happenings.push({ everyMs, nextMs: nowMs + everyMs, happen }),
    isWaiting: (trigger: SyncPayload['trigger']): boolean =>
      waiting.some(({ payload }) => payload.trigger === trigger),
    add: (payload: Partial<SyncPayload>, delayMs = 0): void =>
      void waiting.push({ payload, dueMs: nowMs + delayMs, atMs: nowMs + delayMs }),
    /** Runs every job that is due until then. */
    run: async (untilMs: number, runJob: RunJob): Promise<void> => {
      for (;;) {
        waiting.sort((a, b) => a.atMs - b.atMs);
        const nextMs = Math.min(nextOf()?.nextMs ?? Infinity, waiting[0]?.atMs ?? Infinity);
        if (nextMs > untilMs) return;
        await pass(nextMs);
        const job = waiting[0];
        if (job === undefined || job.atMs > nowMs) continue;
        waiting.shift();
        try {
          await runJob(job.payload);
          ended.push({ payload: job.payload, dueMs: job.dueMs, endedMs: nowMs });
        } catch (error) {
          if (!(error instanceof HandBack)) throw error;
          waiting.push({ ...job, atMs: nowMs + Math.max(1, error.delayMs) });
        }
      }
    },
  };
}
