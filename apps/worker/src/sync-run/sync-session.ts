import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import type { HostBudget, MediaHost, ShownAssets } from '@holdfast/shared/media-host';
import {
  DRIFT_KEPT,
  driftKinds,
  DRY_DRIFT_KEPT,
  SYNC_LEASE_MS,
  type DriftItem,
  type DriftKind,
  type RunningRun,
  type SyncCounts,
  type SyncFacts,
  type SyncFinding,
  type SyncState,
} from '@holdfast/shared/sync';
import type { AssetWork, SyncDependencies } from './sync-dependencies.js';
import { noteFinding } from './sync-findings.js';

export interface SyncLease {
  token: string;
  /** Aborts with the parent, or when the lease is lost (RUN_SUPERSEDED). */
  signal: AbortSignal;
  /** The host's budget, where this process has asked the host since it took the lease. */
  heard: () => HostBudget | null;
  release(): Promise<void>;
}

/**
 * The right to run, for one worker of the fleet, null while another has it; and what a run is decided by, of the run with this id too
 * where one is given. Pages renew the lease, and a timer does while the host is slow. Once it cannot have been renewed in time the run
 * ends by itself. Its end keeps what the host said of its calls.
 */
export async function holdLease(
  {
    state,
    host,
  }: {
    state: Pick<SyncState, 'begin' | 'renew' | 'release'>;
    host: Pick<MediaHost, 'budget' | 'meteredCalls'>;
  },
  parent: AbortSignal,
  runId = '',
): Promise<{ lease: SyncLease | null; facts: SyncFacts }> {
  let renewedAt = performance.now();
  const callsBefore = host.meteredCalls();
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
  const heard = (): HostBudget | null => (host.meteredCalls() > callsBefore ? host.budget() : null);
  const release = async (): Promise<void> => {
    clearInterval(timer);
    // What cannot be released expires by itself, and may be another worker's by now.
    await state.release(token, heard()).catch(() => undefined);
  };
  return { lease: { token, signal: AbortSignal.any([parent, lost.signal]), heard, release }, facts };
}

/** The host's index lags, and its clock is not ours: changes are asked for from this long before the watermark. */
export const OVERLAP_MS = 3 * 60_000;

/**
 * One run in the hands of one worker: what it may use, and where it stands. `running` changes only as pages end, so that a page that
 * failed midway is repeated, and counted, from the last checkpoint.
 */
export interface SyncSession extends AssetWork {
  token: string;
  running: RunningRun;
  heard: SyncLease['heard'];
  /** The host's budget as the fleet knew it when this worker took the run. */
  fleetBudget: HostBudget | null;
  /** Metered calls of this process that are counted already. */
  countedCalls: number;
}

/** Takes up a run, new or left by another worker. */
export function openSession(
  running: RunningRun,
  { token, signal, heard }: SyncLease,
  given: SyncDependencies & Pick<SyncSession, 'fleetBudget' | 'log'>,
): SyncSession {
  const { runId, mode, trigger, startedAt } = running.run;
  return {
    ...given,
    token,
    signal,
    heard,
    running,
    startedAtMs: Date.parse(startedAt),
    countedCalls: given.host.meteredCalls(),
    log: given.log.child({ runId, mode, trigger }),
  };
}

/** Writes where the run stands. Throws RUN_SUPERSEDED when another worker has the lease. */
export async function checkpoint(session: SyncSession, seen: readonly number[] = []): Promise<void> {
  const { state, host, token, running } = session;
  countCalls(session);
  // Before another worker, with a clock of its own, may have to go on.
  if (host.health().lastSuccessAt !== null) running.progress.beganOnHost ??= beganOnHost(session);
  await state.checkpoint(token, running, seen, session.heard());
}

/** When the run began, on the host's clock, which dates what changes there. True once the host has answered. */
export function beganOnHost({ host, now, running, startedAtMs }: SyncSession): string {
  const { beganOnHost: known } = running.progress;
  return known ?? new Date(startedAtMs + host.hostNow() - now()).toISOString();
}

export function countCalls(session: SyncSession): void {
  const calls = session.host.meteredCalls();
  session.running.run.hostCalls += calls - session.countedCalls;
  session.countedCalls = calls;
}

export function addCounts({ running: { run } }: SyncSession, counts: Partial<SyncCounts>): void {
  for (const name of Object.keys(counts) as (keyof SyncCounts)[]) run[name] += counts[name] ?? 0;
}

/** `count` where there are more than ids. */
export type Finding = [code: SyncFinding['code'], ids: readonly string[], count?: number];

export function addFinding({ running: { run } }: SyncSession, ...[code, ids, count]: Finding): void {
  run.findings = noteFinding(run.findings, code, ids, count);
}

/** With the names that the host gives them. */
export function unreadableFinding(unreadable: ShownAssets['unreadable']): Finding {
  const names = unreadable.flatMap(({ assetId, publicId }) => assetId ?? publicId ?? []);
  return ['ASSETS_UNREADABLE', names, unreadable.length];
}

/** For what may be looked at again: only where the run has met no such assets yet. */
export function noteUnreadable(session: SyncSession, unreadable: ShownAssets['unreadable']): void {
  const isKnown = session.running.run.findings.some(({ code }) => code === 'ASSETS_UNREADABLE');
  if (unreadable.length === 0 || isKnown) return;
  addCounts(session, { errors: unreadable.length });
  addFinding(session, ...unreadableFinding(unreadable));
}

/** How many more items of this kind the report of the run takes. Full runs leave one, and dry runs of any sort show theirs. */
export function roomForDrift({ running: { run, progress } }: SyncSession, kind: DriftKind): number {
  if (run.mode !== 'full' && !run.dryRun) return 0;
  return (run.dryRun ? DRY_DRIFT_KEPT : DRIFT_KEPT) - (progress.drift?.[kind] ?? 0);
}

/**
 * Writes into the report of the run, before something is done about the items, so that a run which is killed right after forgets none.
 * Answers those that it had room for.
 */
export async function noteDrift(session: SyncSession, items: readonly DriftItem[]): Promise<DriftItem[]> {
  const { state, token, running } = session;
  const noted = driftKinds.flatMap((kind) =>
    items.filter((item) => item.kind === kind).slice(0, Math.max(0, roomForDrift(session, kind))),
  );
  if (noted.length === 0) return noted;
  const added = await state.noteDrift(token, running.run.runId, noted);
  const before = running.progress.drift ?? { 'catalog-only': 0, different: 0, 'host-only': 0 };
  for (const kind of driftKinds) added[kind] += before[kind];
  running.progress.drift = added;
  return noted;
}
