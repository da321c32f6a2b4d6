import type { SyncPayload } from '@holdfast/shared/jobs';
import type { RunningRun, SyncRun } from '@holdfast/shared/sync';
import { catchUp } from '../snapshot/catch-up.js';
import { restoreCatalog } from '../snapshot/restore-catalog.js';
import { snapshotAfterRun } from '../snapshot/snapshot-after-run.js';
import type { JobContext, JobHandler } from '../job-handler.js';
import { beginRun } from './begin-run.js';
import { createDriftNotes } from './drift-notes.js';
import { runFull } from './run-full.js';
import { runIncremental } from './run-incremental.js';
import { settleFailure } from './settle-failure.js';
import { syncDependencies, type SyncDependencies, type SyncOptions } from './sync-dependencies.js';
import { holdLease, type SyncLease } from './sync-lease.js';
import { checkpoint, countCalls, type SyncSession } from './sync-session.js';
import { insistOnTime, untilOtherEnds, yieldToOthers } from './wait-turn.js';

const modes = { full: runFull, incremental: runIncremental } as const;

/**
 * Runs one sync: alone in the fleet, from where a killed one stopped. A run that another job left behind is finished
 * first, under its own id. Waiting, for the other run or for the host, hands the job back and costs no attempt.
 */
export function createSyncHandler(options: SyncOptions): JobHandler<'sync'> {
  const deps = syncDependencies(options);
  return async (payload, context) => {
    if (await isDone(payload, deps)) return;
    await yieldToOthers(payload, deps);
    const lease = await holdLease(deps.state, context.signal);
    if (lease === null) throw untilOtherEnds(await deps.state.readStatus(), deps.now());
    try {
      await takeOver(payload, context, lease, deps);
    } finally {
      await lease.release();
    }
  };
}

async function takeOver(
  payload: SyncPayload,
  context: JobContext,
  lease: SyncLease,
  deps: SyncDependencies,
): Promise<void> {
  const { rateLimit: fleetBudget, lastFullRun } = await deps.state.readStatus();
  const open = (running: RunningRun): SyncSession => ({
    deps,
    running,
    safe: structuredClone(running),
    token: lease.token,
    fleetBudget,
    countedCalls: deps.host.meteredCalls(),
    drift: createDriftNotes(deps.state, lease.token, running.run),
    undone: new Map(),
    signal: lease.signal,
    log: context.log.child({
      runId: running.run.runId,
      mode: running.run.mode,
      trigger: running.run.trigger,
    }),
  });
  const left = await deps.state.readRunning();
  if (left !== null) {
    insistOnTime(left.run.waitingUntil, deps.now());
    await carryOut(open(left), context);
    if (isSameWork(left, payload)) return;
    // Another worker may have done ours while we looked the other way.
    if (await isDone(payload, deps)) return;
  }
  const running = beginRun({
    payload,
    marks: await deps.state.readMarks(),
    lastSequence: await deps.state.lastSequence(),
    lastListed: lastFullRun?.listed ?? null,
    fullIntervalHours: deps.settings.sync.fullIntervalHours,
    nowMs: deps.now(),
  });
  await carryOut(open(running), context);
}

async function carryOut(session: SyncSession, context: JobContext): Promise<void> {
  const { deps, running, token, log } = session;
  const { run } = running;
  run.waitingUntil = null;
  let ended: SyncRun;
  try {
    await checkpoint(session);
    log.info('sync.started', { dryRun: run.dryRun, listed: run.listed });
    await restoreCatalog(session);
    await catchUp(session);
    const { result, outcome } = await modes[run.mode](session);
    countCalls(session);
    const nowMs = deps.now();
    const finished = {
      ...run,
      result,
      finishedAt: new Date(nowMs).toISOString(),
      durationMs: nowMs - Date.parse(run.startedAt),
      lastError: null,
      ...(run.dryRun ? { drift: await deps.state.readDryDrift(run.runId) } : {}),
    };
    await deps.state.finish(token, finished, outcome);
    const { listed, created, updated, missing, restored, errors, durationMs } = finished;
    log.info('sync.finished', { result, listed, created, updated, missing, restored, errors, durationMs });
    ended = finished;
  } catch (error) {
    throw await settleFailure(session, error, context);
  }
  await snapshotAfterRun(session, ended);
}

/** A job that comes again after its run ended has nothing to do; one that failed is tried again. */
async function isDone({ runId }: SyncPayload, { state }: SyncDependencies): Promise<boolean> {
  if (runId === undefined) return false;
  const run = await state.findRun(runId);
  return run !== null && run.finishedAt !== null && run.result !== 'failed';
}

/** Schedules name no run: the one that their job left behind is told by its trigger. */
function isSameWork({ run, named }: RunningRun, { runId, trigger }: SyncPayload): boolean {
  return runId === undefined ? !named && run.trigger === trigger : run.runId === runId;
}
