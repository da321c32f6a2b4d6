import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import type { HostBudget, MediaHost } from '@holdfast/shared/media-host';
import {
  SYNC_LEASE_MS,
  type DriftItem,
  type DriftKind,
  type RunningRun,
  type SyncCounts,
  type SyncFacts,
  type SyncFinding,
  type SyncRun,
  type SyncState,
} from '@holdfast/shared/sync';
import type { SyncDependencies } from './sync-dependencies.js';
import { noteFinding } from './sync-findings.js';

export interface SyncLease {
  token: string;
  /** Aborts with the parent, or when the lease is lost (RUN_SUPERSEDED). */
  signal: AbortSignal;
  release(): Promise<void>;
}

/**
 * The right to run, for one worker of the fleet, null while another has it; and what a run is decided by, of the run with this id too
 * where one is given. Pages renew the lease, and a timer does while the host is slow. Once it cannot have been renewed in time the run
 * ends by itself. Its end keeps what the host said of its calls.
 */
export async function holdLease(
  { state, host }: { state: Pick<SyncState, 'begin' | 'renew' | 'release'>; host: Pick<MediaHost, 'budget'> },
  parent: AbortSignal,
  runId = '',
): Promise<{ lease: SyncLease | null; facts: SyncFacts }> {
  let renewedAt = performance.now();
  const { token, facts } = await state.begin(runId);
  if (token === null) return { lease: null, facts };
  const lost = new AbortController();
  const renew = async (): Promise<void> => {
    const startedAt = performance.now();
    try {
      await state.renew(token);
      renewedAt = startedAt;
    } catch (error) {
      const expired = performance.now() - renewedAt >= SYNC_LEASE_MS;
      if (isHoldfastError(error, 'RUN_SUPERSEDED') || expired)
        lost.abort(new HoldfastError('RUN_SUPERSEDED', undefined, { cause: error }));
    }
  };
  const timer = setInterval(() => void renew(), SYNC_LEASE_MS / 4);
  const release = async (): Promise<void> => {
    clearInterval(timer);
    // What cannot be released expires by itself, and may be another worker's by now.
    await state.release(token, host.budget()).catch(() => undefined);
  };
  return { lease: { token, signal: AbortSignal.any([parent, lost.signal]), release }, facts };
}

/** The host's index lags, and its clock is not ours: changes are asked for from this long before the watermark. */
export const OVERLAP_MS = 3 * 60_000;

/** One run in the hands of one worker: what it may use, and where it stands. `running` is changed as it goes on. */
export interface SyncSession {
  deps: SyncDependencies;
  /** Of the lease. Which writes go without it is among the invariants of docs/architecture.md. */
  token: string;
  running: RunningRun;
  /** Where it stood at the last checkpoint: a page that failed midway is repeated, and counted, from here. */
  safe: RunningRun;
  /** The page before is verified, and written as done, while the next one is decided. */
  lastPage: Promise<void>;
  /** The host's budget as the fleet knew it when this worker took the run. */
  fleetBudget: HostBudget | null;
  /** Metered calls of this process that are counted already. */
  countedCalls: number;
  /** Of these kinds the report of drift has as many items as it keeps. */
  fullKinds: Set<DriftKind>;
  /** Aborts when the process stops, the job is taken away or the lease is lost. */
  signal: AbortSignal;
  log: Logger;
}

/** Takes up a run, new or left by another worker. */
export function openSession(
  running: RunningRun,
  { token, signal }: SyncLease,
  given: Pick<SyncSession, 'deps' | 'fleetBudget' | 'log'>,
): SyncSession {
  const { deps, log } = given;
  const { runId, mode, trigger } = running.run;
  return {
    ...given,
    token,
    signal,
    running,
    safe: structuredClone(running),
    lastPage: Promise.resolve(),
    countedCalls: deps.host.meteredCalls(),
    fullKinds: new Set(),
    log: log.child({ runId, mode, trigger }),
  };
}

/** Where the run stands now, for `checkpoint`. */
export function standingOf(session: SyncSession): RunningRun {
  countCalls(session);
  // Before another worker, with a clock of its own, may have to go on.
  if (session.deps.host.health().lastSuccessAt !== null)
    session.running.progress.beganOnHost ??= beganOnHost(session);
  return structuredClone(session.running);
}

/** Writes where the run stands. Throws RUN_SUPERSEDED when another worker has the lease. */
export async function checkpoint(
  session: SyncSession,
  seen: readonly number[] = [],
  standing = standingOf(session),
): Promise<void> {
  const { deps, token } = session;
  await deps.state.checkpoint(token, standing, seen, deps.host.budget());
  session.safe = standing;
}

/** When the run began, on the host's clock, which dates what changes there. True once the host has answered. */
export function beganOnHost({ deps, running }: SyncSession): string {
  const { beganOnHost: known } = running.progress;
  return (
    known ?? new Date(Date.parse(running.run.startedAt) + deps.host.hostNow() - deps.now()).toISOString()
  );
}

export function countCalls(session: SyncSession): void {
  const calls = session.deps.host.meteredCalls();
  session.running.run.hostCalls += calls - session.countedCalls;
  session.countedCalls = calls;
}

export function addCounts(run: SyncRun, counts: Partial<SyncCounts>): void {
  for (const name of Object.keys(counts) as (keyof SyncCounts)[]) run[name] += counts[name] ?? 0;
}

/** `count` where there are more than ids. */
export function addFinding(
  { running: { run } }: Pick<SyncSession, 'running'>,
  code: SyncFinding['code'],
  ids: readonly string[],
  count?: number,
): void {
  run.findings = noteFinding(run.findings, code, ids, count);
}

/** Full runs leave a report, and dry runs of any sort show theirs. */
const reports = ({ mode, dryRun }: SyncRun): boolean => mode === 'full' || dryRun;

/** Whether items of this kind are of interest still: this run leaves a report, and there is room in it. */
export function takesDrift({ running, fullKinds }: SyncSession, kind: DriftKind): boolean {
  return reports(running.run) && !fullKinds.has(kind);
}

/**
 * Writes into the report of the run, before something is done about the items, so that a run which is killed right after forgets none.
 * `new`: only of media about which this run has nothing else to say.
 */
export async function noteDrift(
  session: SyncSession,
  items: readonly DriftItem[],
  which: 'all' | 'new' = 'all',
): Promise<void> {
  await writeDrift(
    session,
    items.filter(({ kind }) => takesDrift(session, kind)),
    which === 'new',
  );
}

/** What was noted before, and turned out otherwise. Also where the report is full: the items may be in it. */
export async function correctDrift(session: SyncSession, items: readonly DriftItem[]): Promise<void> {
  if (reports(session.running.run)) await writeDrift(session, items, false);
}

async function writeDrift(
  { deps, token, running, fullKinds }: SyncSession,
  items: readonly DriftItem[],
  onlyNew: boolean,
): Promise<void> {
  const { runId, dryRun } = running.run;
  for (const kind of await deps.state.noteDrift(token, { runId, dryRun, items, onlyNew }))
    fullKinds.add(kind);
}
