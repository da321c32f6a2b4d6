/** A rest grows with the burst before it: a few jobs at light load are followed by none to speak of. */
const REST_MS_PER_JOB = 6;
/** As long as any media waits more than it would without rests; 202 to verified stays below 50 ms (contract, section 9). */
const LONGEST_REST_MS = 40;
/** Smaller bursts are no sign of load. */
const SMALLEST_BURST = 3;

/**
 * When a worker looks for jobs again after it has emptied its queue. Each burst costs it, and Redis, as much as several jobs:
 * under load it lets some come together first. Where a queue is never empty there is no rest.
 */
export interface BurstPace {
  /** So many jobs were taken at once. */
  took(jobs: number): void;
  /** Somebody waits for one of them to be done: no rest after this burst. */
  hurry(): void;
  /** The queue was found empty, which ends the burst. Gives how many ms to rest now. */
  restMs(): number;
}

/** `now` in ms, from any start. */
export function createBurstPace(now: () => number = () => performance.now()): BurstPace {
  let began = 0;
  let jobs = 0;
  let hurried = false;
  return {
    took: (count) => {
      if (jobs === 0) began = now();
      jobs += count;
    },
    hurry: () => {
      hurried = true;
    },
    restMs: () => {
      const restMs = hurried || jobs < SMALLEST_BURST ? 0 : Math.min(jobs * REST_MS_PER_JOB, LONGEST_REST_MS);
      const left = began + restMs - now();
      jobs = 0;
      hurried = false;
      return Math.max(left, 0);
    },
  };
}
