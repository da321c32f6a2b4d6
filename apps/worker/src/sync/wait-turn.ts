import { HandBack, type SyncPayload } from '@holdfast/shared/jobs';
import type { SyncStatus } from '@holdfast/shared/sync';
import { knownBudget, LONGEST_WAIT_MS, spacingOfUploadSyncs } from '../host-calls/call-budget.js';
import type { SyncDependencies } from '../sync-run/sync-dependencies.js';

/** A waiting run tries again soon; later while the one before it has been at work for long. */
const SOON_MS = 500;
const LATER_MS = 5_000;
const LONG_RUN_MS = 30_000;
/** Syncs after uploads take at most one part in so many of the time. */
const UPLOAD_SYNC_SHARE = 20;
const LONGEST_SPACING_MS = 60_000;

/** Hands a sync after uploads back when it would come too soon after the last one, for the host or for us. */
export function yieldToOthers(
  { trigger }: Pick<SyncPayload, 'trigger'>,
  { lastRun, rateLimit }: Pick<SyncStatus, 'lastRun' | 'rateLimit'>,
  { host, now }: Pick<SyncDependencies, 'host' | 'now'>,
): void {
  if (trigger !== 'upload' && trigger !== 'webhook') return;
  if (lastRun === null || lastRun.finishedAt === null || lastRun.trigger !== trigger) return;
  const work = Math.min((lastRun.durationMs ?? 0) * UPLOAD_SYNC_SHARE, LONGEST_SPACING_MS);
  const calls = spacingOfUploadSyncs(knownBudget(host.budget(), rateLimit), now());
  const spacing = Math.max(work, calls);
  // No longer than that, though the other worker's clock may be ahead of ours.
  const delayMs = Math.min(Date.parse(lastRun.finishedAt) + spacing - now(), spacing);
  if (delayMs > 0) throw new HandBack('a sync after uploads waits for its turn', Math.ceil(delayMs));
}

/** When to look again whether the other run has ended. */
export function untilOtherEnds({ running }: Pick<SyncStatus, 'running'>, nowMs: number): HandBack {
  const isLong = running !== null && nowMs - Date.parse(running.startedAt) > LONG_RUN_MS;
  return new HandBack('another sync is running', isLong ? LATER_MS : SOON_MS);
}

/**
 * Throws while the host has asked the run under way, and so every other, to wait. None waits for longer than LONGEST_WAIT_MS:
 * what lies further ahead was noted by a clock that was wrong.
 */
export function insistOnTime(waitingUntil: string | null, nowMs: number): void {
  const delayMs = waitingUntil === null ? 0 : Date.parse(waitingUntil) - nowMs;
  if (delayMs > 0 && delayMs <= LONGEST_WAIT_MS) throw new HandBack('the media host asks to wait', delayMs);
}
