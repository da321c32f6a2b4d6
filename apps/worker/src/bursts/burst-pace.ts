/** A lull grows with the burst before it. */
const LULL_MS_PER_JOB = 6;
/** How much longer a media may wait under load than it would without lulls. At light load there are none. */
const LONGEST_LULL_MS = 40;
/** Smaller bursts are no sign of load. */
const SMALLEST_BURST = 3;

/**
 * When a worker looks for jobs again after it has emptied its queue. Each burst costs it, and Redis, as much as several jobs:
 * under load it lets some come together first. Where a queue is never empty there is no lull.
 */
export interface BurstPace {
  /** So many jobs were taken at once. */
  took(jobs: number): void;
  /** Somebody waits for one of them to be done: no lull after this burst. */
  hurry(): void;
  /** The queue was found empty, which ends the burst. Gives how many ms to leave it alone. */
  lullMs(): number;
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
    lullMs: () => {
      const lullMs = hurried || jobs < SMALLEST_BURST ? 0 : Math.min(jobs * LULL_MS_PER_JOB, LONGEST_LULL_MS);
      const left = began + lullMs - now();
      jobs = 0;
      hurried = false;
      return Math.max(left, 0);
    },
  };
}
