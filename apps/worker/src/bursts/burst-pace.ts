/** A lull grows with the burst before it. */
const LULL_MS_PER_JOB = 6;
/** How much longer a media may wait under load than it would without lulls. At light load there are none. */
const LONGEST_LULL_MS = 40;
/** Smaller bursts are no sign of load. */
const SMALLEST_BURST = 3;
/** Larger ones are hardly cheaper for each job. Where jobs come so fast that more would wait, the lull is shorter. */
const LARGE_BURST = 20;

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
  let began = -Infinity;
  /** From the begin of the burst before to that of this one: the time in which its jobs came. */
  let cameWithin = Infinity;
  let jobs = 0;
  let hurried = false;
  return {
    took: (count) => {
      if (jobs === 0) {
        const time = now();
        cameWithin = time - began;
        began = time;
      }
      jobs += count;
    },
    hurry: () => {
      hurried = true;
    },
    lullMs: () => {
      const untilLarge = (cameWithin / jobs) * LARGE_BURST;
      const lullMs =
        hurried || jobs < SMALLEST_BURST ? 0 : Math.min(jobs * LULL_MS_PER_JOB, LONGEST_LULL_MS, untilLarge);
      const left = began + lullMs - now();
      jobs = 0;
      hurried = false;
      return Math.max(left, 0);
    },
  };
}
