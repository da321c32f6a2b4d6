import { HoldfastError } from '@holdfast/shared/errors';
import type { HostBudget } from '@holdfast/shared/media-host';

/** Shares of the hour's calls: kept for whoever must ask at the end of it; below which pages are spread over the rest. */
const KEPT = 0.05;
const SLOW_BELOW = 0.2;
/** Below this share, syncs after uploads are spread; what they may not touch stays for the scheduled runs. */
const UPLOADS_SPREAD_BELOW = 0.6;
const KEPT_FROM_UPLOADS = 0.3;
const LONGEST_PAUSE_MS = 60_000;
/** The host counts by the hour: a reset further away than this is a mistake, ours or the host's. */
export const LONGEST_WAIT_MS = 70 * 60_000;

/** The budget that counts: what this process heard itself, or what the fleet heard when that says less is left. */
export function knownBudget(own: HostBudget | null, fleet: HostBudget | null): HostBudget | null {
  if (own === null || fleet === null) return own ?? fleet;
  if (own.resetAt !== fleet.resetAt) return own.resetAt > fleet.resetAt ? own : fleet;
  return own.remaining <= fleet.remaining ? own : fleet;
}

/** Milliseconds to wait before the next page. Throws HOST_RATE_LIMITED when the rest of the hour is not to be used. */
export function pauseBeforePage(budget: HostBudget | null, nowMs: number): number {
  if (budget === null) return 0;
  const leftMs = Date.parse(budget.resetAt) - nowMs;
  const spare = budget.remaining - Math.floor(budget.limit * KEPT);
  if (leftMs <= 0 || leftMs > LONGEST_WAIT_MS) return 0;
  if (spare <= 0)
    throw new HoldfastError('HOST_RATE_LIMITED', undefined, { retryAfterSeconds: Math.ceil(leftMs / 1_000) });
  if (budget.remaining >= budget.limit * SLOW_BELOW) return 0;
  return Math.min(leftMs / spare, LONGEST_PAUSE_MS);
}

/** Milliseconds that a sync after uploads waits after the one before it, so that the scheduled runs keep their calls. */
export function spacingOfUploadSyncs(budget: HostBudget | null, nowMs: number): number {
  if (budget === null || budget.remaining >= budget.limit * UPLOADS_SPREAD_BELOW) return 0;
  const leftMs = Math.min(Math.max(0, Date.parse(budget.resetAt) - nowMs), LONGEST_WAIT_MS);
  const spare = budget.remaining - budget.limit * KEPT_FROM_UPLOADS;
  return spare < 1 ? leftMs : leftMs / spare;
}
