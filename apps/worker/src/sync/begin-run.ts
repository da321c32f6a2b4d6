import { HandBack, type SyncMode, type SyncPayload, type SyncTrigger } from '@holdfast/shared/jobs';
import { newMediaId } from '@holdfast/shared/media';
import { addFinding, noCounts, type RunningRun, type SyncFacts } from '@holdfast/shared/sync';
import { knownBudget, LONGEST_WAIT_MS, spacingOfUploadSyncs } from '../sync-run/host-calls.js';
import { OVERLAP_MS, type SyncDependencies } from '../sync-run/sync-session.js';

/** Runs after uploads come every few seconds and only look for what is new; the others make up for what these miss. */
const SHORT_OVERLAP_MS = 5_000;
const FIRST_LOOK_BACK_MS = 10 * 60_000;
const HOUR_MS = 3_600_000;

/** Of a run that names none itself; the others are full from time to time. */
const modeOf: Partial<Record<SyncTrigger, SyncMode>> = {
  manual: 'full',
  recovery: 'full',
  upload: 'incremental',
};

/** A new run: full or incremental, and since when. */
export function beginRun(
  payload: SyncPayload,
  facts: Pick<SyncFacts, 'watermark' | 'lookedAt' | 'lastFullAt' | 'lastFullRun' | 'lastSequence'>,
  { settings, now }: Pick<SyncDependencies, 'settings' | 'now'>,
): RunningRun {
  const nowMs = now();
  const { runId = newMediaId(nowMs), trigger, dryRun, force } = payload;
  const { watermark, lookedAt, lastFullAt, lastFullRun, lastSequence } = facts;
  // A full run so far ahead is dated by a wrong clock.
  const sinceFullMs = lastFullAt === null ? Infinity : Math.abs(nowMs - Date.parse(lastFullAt));
  const isDue = sinceFullMs >= settings.sync.fullIntervalHours * HOUR_MS;
  const mode = payload.mode ?? modeOf[trigger] ?? (isDue ? 'full' : 'incremental');
  const isFull = mode === 'full';
  const sinceUploadMs =
    lookedAt === null ? nowMs - FIRST_LOOK_BACK_MS : Date.parse(lookedAt) - SHORT_OVERLAP_MS;
  const sinceOtherMs = watermark === null ? 0 : Date.parse(watermark) - OVERLAP_MS;
  const sinceMs = trigger === 'upload' ? sinceUploadMs : sinceOtherMs;
  const running: RunningRun = {
    run: {
      runId,
      mode,
      trigger,
      startedAt: new Date(nowMs).toISOString(),
      finishedAt: null,
      durationMs: null,
      result: null,
      ...noCounts,
      findings: [],
      dryRun,
      force,
      lastError: null,
      expected: isFull ? (lastFullRun?.listed ?? null) : null,
      waitingUntil: null,
    },
    progress: {
      cursor: null,
      resourceType: null,
      sweeping: false,
      restoring: trigger === 'recovery',
      since: isFull ? null : new Date(sinceMs).toISOString(),
      lastSequence,
    },
  };
  if (trigger === 'recovery') addFinding(running.run, 'CATALOG_REBUILDING', []);
  return running;
}

/** Syncs after uploads take at most one part in so many of the time. */
const UPLOAD_SYNC_SHARE = 20;
const LONGEST_SPACING_MS = 60_000;

/** Hands back a sync after uploads that would come too soon after the last one. */
export function yieldToOthers(
  { trigger }: Pick<SyncPayload, 'trigger'>,
  { lastRun, rateLimit }: Pick<SyncFacts, 'lastRun' | 'rateLimit'>,
  { host, now }: Pick<SyncDependencies, 'host' | 'now'>,
): void {
  if (trigger !== 'upload' || lastRun?.trigger !== 'upload' || lastRun.finishedAt === null) return;
  const work = Math.min((lastRun.durationMs ?? 0) * UPLOAD_SYNC_SHARE, LONGEST_SPACING_MS);
  const calls = spacingOfUploadSyncs(knownBudget(host.budget(), rateLimit), now());
  const spacing = Math.max(work, calls);
  // No longer than that, though the other worker's clock may be ahead of ours.
  const delayMs = Math.min(Date.parse(lastRun.finishedAt) + spacing - now(), spacing);
  if (delayMs > 0) throw new HandBack('a sync after uploads waits for its turn', Math.ceil(delayMs));
}

const SOON_MS = 500;
const LATER_MS = 5_000;

/** When to look again whether the other run has ended: the later, the longer it has been at work. */
export function untilOtherEnds({ running }: Pick<SyncFacts, 'running'>, nowMs: number): HandBack {
  const workedMs = running === null ? 0 : nowMs - Date.parse(running.run.startedAt);
  const delayMs = Math.min(Math.max(Math.round(workedMs / 10), SOON_MS), LATER_MS);
  return new HandBack('another sync is running', delayMs);
}

/**
 * Throws while the host has asked the run under way, and so every other, to wait. None waits for longer than LONGEST_WAIT_MS:
 * a later time was set by a wrong clock.
 */
export function insistOnTime(waitingUntil: string | null, nowMs: number): void {
  const delayMs = waitingUntil === null ? 0 : Date.parse(waitingUntil) - nowMs;
  if (delayMs > 0 && delayMs <= LONGEST_WAIT_MS) throw new HandBack('the media host asks to wait', delayMs);
}
