import type { SyncPayload } from '@holdfast/shared/jobs';
import type { RunningRun, SnapshotFacts, SyncFacts, SyncMarks, SyncRun } from '@holdfast/shared/sync';
import type { JobContext, JobHandler } from '../job-run/job-handler.js';
import { createDriftNotes } from '../sync-run/drift-notes.js';
import type { SyncDependencies } from '../sync-run/sync-dependencies.js';
import { holdLease, type SyncLease } from '../sync-run/sync-lease.js';
import { checkpoint, countCalls, type SyncSession } from '../sync-run/sync-session.js';
import { beginRun } from './begin-run.js';
import { catchUp } from './catch-up.js';
import { runFull } from './run-full.js';
import { runIncremental } from './run-incremental.js';
import { settleFailure } from './settle-failure.js';
import { requestSecondLook } from './sync-requests.js';
import { insistOnTime, untilOtherEnds, yieldToOthers } from './wait-turn.js';

/** What others do within a run: its snapshots. */
export interface SyncSteps {
  /** First of all. Refills an emptied catalog as far as it can, where the run is there for that. */
  refill: (session: SyncSession) => Promise<void>;
  /** The run has ended well, whatever becomes of this. */
  afterRun: (session: SyncSession, run: SyncRun, facts: SnapshotFacts) => Promise<void>;
}

const modes = { full: runFull, incremental: runIncremental } as const;

/**
 * Runs one sync: alone in the fleet, from where a killed one stopped. A run that another job left behind is finished
 * first, under its own id. Waiting, for the other run or for the host, hands the job back and costs no attempt.
 */
export function createSyncHandler(deps: SyncDependencies, steps: SyncSteps): JobHandler<'sync'> {
  return async (payload, context) => {
    const { lease, facts } = await takeLease(payload, deps, context.signal);
    try {
      if (isDone(facts)) return;
      yieldToOthers(payload, facts.status, deps);
      if (lease === null) throw untilOtherEnds(facts.status, deps.now());
      await takeOver(payload, lease, facts, { deps, steps, context });
    } finally {
      await lease?.release();
    }
  };
}

/** The lease, null while another has it, and what a run is decided by: one command. */
async function takeLease({ runId = '' }: SyncPayload, deps: SyncDependencies, signal: AbortSignal) {
  let begun: Awaited<ReturnType<typeof deps.state.begin>> | undefined;
  const lease = await holdLease(deps, signal, async () => {
    begun = await deps.state.begin(runId);
    return begun.token;
  });
  return { lease, facts: begun?.facts ?? (await deps.state.readFacts(runId)) };
}

interface Given {
  deps: SyncDependencies;
  steps: SyncSteps;
  context: JobContext;
}

async function takeOver(
  payload: SyncPayload,
  lease: SyncLease,
  begun: SyncFacts,
  given: Given,
): Promise<void> {
  const { deps, context } = given;
  const { rateLimit: fleetBudget } = begun.status;
  let facts = begun;
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
  const left = facts.running;
  if (left !== null) {
    insistOnTime(left.run.waitingUntil, deps.now());
    await carryOut(open(left), given);
    if (isSameWork(left, payload)) return;
    facts = await deps.state.readFacts(payload.runId);
    // Another worker may have done ours while we looked the other way.
    if (isDone(facts)) return;
  }
  const {
    marks,
    status: { lastFullRun },
    lastSequence,
  } = facts;
  if (await isRefilledSince(payload, lastFullRun, deps)) return;
  const running = beginRun({
    payload: inItsStead(payload, marks),
    marks,
    lastSequence,
    lastListed: lastFullRun?.listed ?? null,
    fullIntervalHours: deps.settings.sync.fullIntervalHours,
    nowMs: deps.now(),
  });
  await carryOut(open(running), given);
}

async function carryOut(session: SyncSession, { steps, context }: Given): Promise<void> {
  const { deps, running, token, log } = session;
  const { run } = running;
  run.waitingUntil = null;
  let ended: { run: SyncRun; facts: SnapshotFacts };
  try {
    await checkpoint(session);
    // The watch need not ask for one any more.
    if (run.trigger === 'recovery') await deps.catalog.noteBirth(deps.now());
    log.info('sync.started', { dryRun: run.dryRun, listed: run.listed });
    await steps.refill(session);
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
    // Before the end is written: a worker that is killed in between asks again.
    if (run.trigger === 'recovery' && !run.dryRun) await requestSecondLook(deps.queues);
    const facts = await deps.state.finish(token, finished, outcome, deps.host.budget());
    const { listed, created, updated, missing, restored, errors, durationMs } = finished;
    log.info('sync.finished', { result, listed, created, updated, missing, restored, errors, durationMs });
    ended = { run: finished, facts };
  } catch (error) {
    throw await settleFailure(session, error, context);
  }
  await steps.afterRun(session, ended.run, ended.facts);
}

/** A job that comes again after its run ended has nothing to do; one that failed is tried again. */
function isDone({ asked }: SyncFacts): boolean {
  return asked !== null && asked.finishedAt !== null && asked.result !== 'failed';
}

/**
 * A catalog that was emptied, or is new, is refilled before anything else is concluded from it: to any other run what only
 * the snapshot and the notes of deletions know is not there, and a snapshot of it would be the newest. Whichever run comes
 * first is the recovery.
 */
function inItsStead(payload: SyncPayload, { lastFullAt }: SyncMarks): SyncPayload {
  if (lastFullAt !== null || payload.dryRun) return payload;
  return { ...payload, trigger: 'recovery', mode: 'full' };
}

/** Whether another run has been the recovery that this job was to be. */
async function isRefilledSince(
  { trigger }: SyncPayload,
  lastFullRun: SyncRun | null,
  { catalog }: SyncDependencies,
): Promise<boolean> {
  if (trigger !== 'recovery' || lastFullRun?.trigger !== 'recovery') return false;
  const born = await catalog.bornAt();
  return born !== null && Date.parse(lastFullRun.finishedAt ?? '') >= Number(born);
}

/** Schedules name no run: the one that their job left behind is told by its trigger, or was the recovery. */
function isSameWork({ run, named }: RunningRun, { runId, trigger }: SyncPayload): boolean {
  return runId === undefined
    ? !named && (run.trigger === trigger || run.trigger === 'recovery')
    : run.runId === runId;
}
