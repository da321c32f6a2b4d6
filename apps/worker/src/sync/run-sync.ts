import { isHoldfastError, toHoldfastError } from '@holdfast/foundation/errors';
import { HandBack, type SyncPayload } from '@holdfast/shared/jobs';
import { isCircuitOpen } from '@holdfast/shared/media-host';
import type { SyncFacts, SyncNotes, SyncRun } from '@holdfast/shared/sync';
import { hostRestMs, type JobContext, type JobHandler } from '../run-job.js';
import { repeatDeletions, restoreCatalog } from '../snapshot/restore-snapshot.js';
import { snapshotAfterRun } from '../snapshot/take-snapshot.js';
import { LONGEST_WAIT_MS } from '../sync-run/host-calls.js';
import {
  beganOnHost,
  checkpoint,
  countCalls,
  holdLease,
  openSession,
  type SessionParts,
  type SyncDependencies,
  type SyncSession,
} from '../sync-run/sync-session.js';
import { beginRun, insistOnTime, untilOtherEnds, yieldToOthers } from './begin-run.js';
import { requestSecondLook } from './sync-requests.js';
import { walkHost } from './walk-host.js';

/**
 * Runs one sync: alone in the fleet, from where a killed one stopped. Waiting, for the other run or for the host, hands the
 * job back and costs no attempt.
 */
export function createSyncHandler(deps: SyncDependencies): JobHandler<'sync'> {
  return async (payload, context) => {
    const { lease, facts } = await holdLease(deps, context.signal, payload.runId);
    try {
      if (isDone(facts)) return;
      yieldToOthers(payload, facts, deps);
      if (lease === null) throw untilOtherEnds(facts, deps.now());
      const parts = { ...deps, ...lease, fleetBudget: facts.rateLimit, log: context.log };
      await runAlone(payload, facts, parts, context);
    } finally {
      await lease?.release();
    }
  };
}

/** A job that comes again after its run ended has nothing to do; one that failed is tried again. */
function isDone({ asked }: SyncFacts): boolean {
  return asked !== null && asked.finishedAt !== null && asked.result !== 'failed';
}

/** A run that another job left behind is finished first, under its own id. */
async function runAlone(
  payload: SyncPayload,
  begun: SyncFacts,
  parts: SessionParts,
  context: JobContext,
): Promise<void> {
  let facts = begun;
  const left = facts.running;
  if (left !== null) {
    insistOnTime(left.run.waitingUntil, parts.now());
    await carryOut(openSession(left, parts), context);
    if (isSameWork(left.run, payload)) return;
    facts = await parts.state.read(payload.runId);
    // Another worker may have done our run in the meantime.
    if (isDone(facts)) return;
  }
  const isRefilled = facts.lastFullAt !== null;
  // Another run has been the recovery that this job was to be.
  if (isRefilled && payload.trigger === 'recovery') return;
  const running = beginRun(isRefilled || payload.dryRun ? payload : asRecovery(payload), facts, parts);
  await carryOut(openSession(running, parts), context);
}

/** Schedules name no run: the one that their job left behind is known by its trigger, or was the recovery. */
function isSameWork(left: SyncRun, { runId, trigger }: SyncPayload): boolean {
  return runId === undefined ? left.trigger === trigger || left.trigger === 'recovery' : left.runId === runId;
}

/**
 * A catalog that was emptied, or is new, is refilled before anything else is concluded from it: to any other run what only
 * the snapshot and the notes of deletions know is not there, and a snapshot of it would be the newest. Whichever run comes
 * first is the recovery.
 */
const asRecovery = (payload: SyncPayload): SyncPayload => ({ ...payload, trigger: 'recovery', mode: 'full' });

async function carryOut(session: SyncSession, context: JobContext): Promise<void> {
  const ended = await runToItsEnd(session).catch(async (error: unknown) => {
    throw await settleFailure(session, error, context);
  });
  // The run has ended well, whatever becomes of this.
  await snapshotAfterRun(session, ended);
}

async function runToItsEnd(session: SyncSession): Promise<SyncRun> {
  const { state, running, now, log } = session;
  const { run } = running;
  const isRecovery = run.trigger === 'recovery';
  run.waitingUntil = null;
  await checkpoint(session);
  // The watch need not ask for one any more.
  if (isRecovery) await session.catalog.noteEpoch(now());
  log.info('sync.started', { dryRun: run.dryRun, listed: run.listed });
  await restoreCatalog(session);
  await repeatDeletions(session);
  const result = await walkHost(session);
  // Files, or a snapshot: else the catalog was that of a first start on an empty host, which is no finding.
  const isFilled = run.listed > 0 || run.findings.some(({ code }) => code === 'SNAPSHOT_RESTORED');
  if (!isFilled) run.findings = run.findings.filter(({ code }) => code !== 'CATALOG_REBUILDING');
  // Before the end is written: a worker that is killed in between asks again.
  if (isRecovery && !run.dryRun) await requestSecondLook(session.queues);
  run.lastError = null;
  if (run.dryRun) run.drift = await state.readDryDrift(run.runId);
  const ended = await endRun(session, result, notesOf(session));
  const { listed, created, updated, missing, restored, errors, durationMs } = ended;
  if (isRecovery && isFilled) log.warn('sync.catalog_refilled', { listed, created });
  log.info('sync.finished', { result, listed, created, updated, missing, restored, errors, durationMs });
  return ended;
}

/** From where later runs go on. */
function notesOf(session: SyncSession): SyncNotes {
  const { dryRun, mode, trigger, startedAt } = session.running.run;
  if (dryRun) return {};
  const lookedAt = beganOnHost(session);
  if (mode === 'full') return { lookedAt, watermark: lookedAt, lastFullAt: startedAt };
  // Runs after uploads look back less far, so they leave the watermark to the others.
  return trigger === 'upload' ? { lookedAt } : { lookedAt, watermark: lookedAt };
}

async function endRun(session: SyncSession, result: SyncRun['result'], notes: SyncNotes): Promise<SyncRun> {
  const { state, running, token, now } = session;
  countCalls(session);
  const { run } = running;
  const nowMs = now();
  const durationMs = nowMs - Date.parse(run.startedAt);
  const ended = { ...run, finishedAt: new Date(nowMs).toISOString(), durationMs, result };
  await state.finish(token, ended, notes, session.heard());
  return ended;
}

const AFTER_SUPERSEDED_MS = 1_000;
const UNKNOWN_RESET_SECONDS = 60;
/**
 * A host that came back, or answers again sooner than it said, is asked well within a minute; an hour of asking in vain stays
 * below its hourly limit.
 */
const RECOVERY_AGAIN_MS = 30_000;

/**
 * What becomes of a run that could not continue, and the error with which its job ends. The run stays where it is for the
 * next try, and only the last attempt ends it as failed. A recovery outlasts any failure: until it has ended, a
 * file that the emptied catalog lacks may still exist.
 */
async function settleFailure(session: SyncSession, error: unknown, context: JobContext): Promise<unknown> {
  if (context.signal.aborted) return new HandBack('the worker is stopping', 0, error);
  if (session.signal.aborted || isHoldfastError(error, 'RUN_SUPERSEDED'))
    return new HandBack('another worker has the run', AFTER_SUPERSEDED_MS, error);
  // Without Redis there is nothing to write the state to; it says where the last page ended.
  if (isHoldfastError(error, 'CATALOG_UNAVAILABLE', 'QUEUE_UNAVAILABLE')) return error;

  const { running, log } = session;
  const { run } = running;
  const { code, message, retryAfterSeconds } = toHoldfastError(error);
  const nowMs = session.now();
  // That no call was attempted does not say why; the last answer does.
  if (run.lastError === null || !isCircuitOpen(error))
    run.lastError = { code, message, at: new Date(nowMs).toISOString() };
  const waitFor = async (reason: string, delayMs: number): Promise<HandBack> => {
    run.waitingUntil = new Date(nowMs + delayMs).toISOString();
    await checkpoint(session);
    log.warn('sync.waiting', { code, until: run.waitingUntil });
    return new HandBack(reason, delayMs, error);
  };
  if (code === 'HOST_RATE_LIMITED') {
    const longestMs = run.trigger === 'recovery' ? RECOVERY_AGAIN_MS : LONGEST_WAIT_MS;
    const delayMs = Math.min((retryAfterSeconds ?? UNKNOWN_RESET_SECONDS) * 1_000, longestMs);
    return waitFor('the media host asks to wait', delayMs);
  }
  const restMs = hostRestMs(error);
  if (restMs !== undefined) return waitFor('the media host does not answer', restMs);
  run.errors += 1;
  if (context.attempt < session.settings.jobs.attempts) {
    await checkpoint(session);
    return error;
  }
  if (run.trigger === 'recovery') return waitFor('a recovery goes on later', RECOVERY_AGAIN_MS);
  await endRun(session, 'failed', {});
  log.error('sync.failed', { code });
  return error;
}
