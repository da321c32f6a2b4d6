import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { isCircuitOpen, isTransientHostError, type HostBudget } from '@holdfast/shared/media-host';
import type { LeasedWork } from './sync-session.js';

/** Calls to the host that change something, at once. */
export const CALLS_AT_ONCE = 4;
/** Calls that only look up an asset. */
export const LOOKS_AT_ONCE = 8;
/**
 * Items of one sweep. Each takes up to four answers of the host, one after another: with 0.3 s for each, 128 uploads that a kill
 * cut off are undone in 8 s, which with the 30 s until they are stale and the 20 s of the watch makes less than a minute.
 */
export const SWEPT_AT_ONCE = 16;

/**
 * Runs `work` over all items, at most `limit` at once; results in their order. After the first rejection no other item is
 * started, and this rejects once those under way have ended: the caller may then give up what they rely on, such as a lease.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const left = entriesOf(items);
  // A lane that throws ends the generator, and with it the other lanes.
  const lane = async (): Promise<void> => {
    for (const [index, item] of left) results[index] = await work(item);
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, lane));
  const rejected = lanes.find((ended) => ended.status === 'rejected');
  if (rejected !== undefined) throw rejected.reason;
  return results;
}

function* entriesOf<Item>(items: readonly Item[]): Generator<[number, Item]> {
  yield* items.entries();
}

const TRIES = 3;

/**
 * Retries a call to the host, so that a run of many pages does not use up its few attempts on failures far
 * apart. A host that asks to wait is not called again.
 */
export async function fetchPatiently<T>(
  fetch: () => Promise<T>,
  { settings, signal }: Pick<LeasedWork, 'settings' | 'signal'>,
): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await fetch();
    } catch (error) {
      const hopeless =
        !isTransientHostError(error) || isCircuitOpen(error) || isHoldfastError(error, 'HOST_RATE_LIMITED');
      if (hopeless || signal.aborted || tried >= TRIES) throw error;
      await pause(settings.jobs.backoffMs * 2 ** (tried - 1), undefined, { signal });
    }
  }
}

/** Shares of the hour's calls: below which they are spread over the rest of the hour, and what is kept for others. */
const ofPages = { spreadBelow: 0.2, kept: 0.05 };
const ofUploadSyncs = { spreadBelow: 0.6, kept: 0.3 };
const LONGEST_PAUSE_MS = 60_000;
/** The host counts by the hour: a reset further away than this is a mistake, ours or the host's. */
export const LONGEST_WAIT_MS = 70 * 60_000;

/** The budget that counts: what the host last told this process, or another of the fleet where that is less. */
export function knownBudget(own: HostBudget | null, fleet: HostBudget | null): HostBudget | null {
  if (own === null || fleet === null) return own ?? fleet;
  if (own.resetAt !== fleet.resetAt) return own.resetAt > fleet.resetAt ? own : fleet;
  return own.remaining <= fleet.remaining ? own : fleet;
}

/** Milliseconds to wait before the next page. Throws HOST_RATE_LIMITED when the rest of the hour is not to be used. */
export function pauseBeforePage(budget: HostBudget | null, nowMs: number): number {
  const { restMs, pauseMs } = spread(budget, nowMs, ofPages);
  if (pauseMs === null)
    throw new HoldfastError('HOST_RATE_LIMITED', undefined, { retryAfterSeconds: Math.ceil(restMs / 1_000) });
  return Math.min(pauseMs, LONGEST_PAUSE_MS);
}

/** Milliseconds that a sync after uploads waits after the one before it, so that the scheduled runs keep their calls. */
export function spacingOfUploadSyncs(budget: HostBudget | null, nowMs: number): number {
  const { restMs, pauseMs } = spread(budget, nowMs, ofUploadSyncs);
  return pauseMs ?? restMs;
}

/** `restMs` until the host counts anew; `pauseMs` between calls until then, null where none is left. */
function spread(budget: HostBudget | null, nowMs: number, { spreadBelow, kept }: typeof ofPages) {
  const restMs = budget === null ? 0 : Date.parse(budget.resetAt) - nowMs;
  if (budget === null || restMs <= 0 || restMs > LONGEST_WAIT_MS) return { restMs: 0, pauseMs: 0 };
  if (budget.remaining >= budget.limit * spreadBelow) return { restMs, pauseMs: 0 };
  const spare = budget.remaining - Math.floor(budget.limit * kept);
  return { restMs, pauseMs: spare < 1 ? null : restMs / spare };
}
