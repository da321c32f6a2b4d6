import type { HostBudget } from '@holdfast/shared/media-host';
import type { Logger } from '@holdfast/shared/logging';
import type { LeaseToken } from '@holdfast/shared/redis';
import type { RunningRun, SyncCounts, SyncFinding, SyncRun } from '@holdfast/shared/sync';
import type { DriftNotes } from './drift-notes.js';
import type { SyncDependencies } from './sync-dependencies.js';
import { noteFinding } from './sync-findings.js';

/** The host's index lags, and its clock is not ours: changes are asked for from this long before the mark. */
export const OVERLAP_MS = 3 * 60_000;

/** What the steps of a page work with, in a run or for single assets. `running` is changed as it goes on. */
export interface StepSession {
  deps: SyncDependencies;
  /** Of the lease; null outside of any run. Which writes go without it is among the invariants of docs/architecture.md. */
  token: LeaseToken;
  running: RunningRun;
  /** Of the page in hand, by record id or public id: what was to be done, and was not. */
  undone: Map<string, 'left' | 'failed'>;
  /** Aborts when the process stops, the job is taken away or the lease is lost. */
  signal: AbortSignal;
  log: Logger;
}

/** One run in the hands of one worker: what it may use, and where it stands. */
export interface SyncSession extends StepSession {
  token: string;
  /** Where it stood at the last checkpoint: what a page did that failed midway is done, and counted, again. */
  safe: RunningRun;
  /** The host's budget as the fleet knew it when this worker took the run. */
  fleetBudget: HostBudget | null;
  /** Metered calls of this process that are counted already. */
  countedCalls: number;
  drift: DriftNotes;
}

/** Writes where the run stands. Throws RUN_SUPERSEDED when another worker has the lease. */
export async function checkpoint(session: SyncSession, seen: readonly number[] = []): Promise<void> {
  const { deps, token, running } = session;
  countCalls(session);
  // Before another worker, with a clock of its own, may have to go on.
  if (deps.host.health().lastSuccessAt !== null) running.progress.beganOnHost ??= beganOnHost(session);
  await deps.state.checkpoint(token, running, seen, deps.host.budget());
  session.safe = structuredClone(running);
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
  session: StepSession,
  code: SyncFinding['code'],
  ids: readonly string[],
  count?: number,
): void {
  const { run } = session.running;
  run.findings = noteFinding(run.findings, code, ids, count);
}
