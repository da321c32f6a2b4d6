/** Waiting times between restarts, in milliseconds. */
export interface BackoffPolicy {
  firstMs: number;
  maxMs: number;
  /** A process that ran this long starts again with the first waiting time. */
  stableAfterMs: number;
}

export const restartBackoff: BackoffPolicy = { firstMs: 200, maxMs: 10_000, stableAfterMs: 30_000 };

/** The waiting time after the n-th end in a row (from 1): doubled each time, up to the limit. */
export function backoffMs(policy: BackoffPolicy, endsInARow: number): number {
  return Math.min(policy.maxMs, policy.firstMs * 2 ** Math.min(30, endsInARow - 1));
}
