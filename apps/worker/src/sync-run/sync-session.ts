import { setTimeout as passTime } from 'node:timers/promises';
import type { Settings } from '@holdfast/foundation/config';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import { createCatalog } from '@holdfast/shared/catalog';
import { createCatalogHost } from '@holdfast/shared/catalog-host';
import { createTickets } from '@holdfast/shared/direct-uploads';
import type { Barrier } from '@holdfast/shared/durability';
import { createClaims } from '@holdfast/shared/idempotency';
import { createIntents, createRefusedAssets } from '@holdfast/shared/intents';
import type { MediaQueues } from '@holdfast/shared/jobs';
import type { HostBudget, MediaHost, ShownAssets } from '@holdfast/shared/media-host';
import type { LeaseToken, RedisClient, RedisKeys } from '@holdfast/shared/redis';
import type { DeletionNotes } from '@holdfast/shared/snapshot';
import {
  addFinding,
  createSyncState,
  DRIFT_KEPT,
  driftKinds,
  DRY_DRIFT_KEPT,
  SYNC_LEASE_MS,
  type DriftItem,
  type DriftKind,
  type NewFinding,
  type RunningRun,
  type SyncCounts,
  type SyncFacts,
  type SyncState,
} from '@holdfast/shared/sync';
import type { ReadBack } from '../verify/verify-records.js';

/** What the sync depends on. */
export interface SyncOptions {
  settings: Pick<Settings, 'host' | 'sync' | 'jobs' | 'durability' | 'uploads' | 'dataDir'>;
  /** A connection of the role `background`. */
  redis: RedisClient;
  keys: RedisKeys;
  host: MediaHost;
  deletionNotes: Pick<DeletionNotes, 'add'>;
  /** Over another connection than `redis`. */
  readBack: ReadBack;
  barrier: Barrier;
  /** Resolves once it is known whether this server's confirmations may be believed. */
  serverJudged: () => Promise<void>;
  queues: Pick<MediaQueues, 'add'>;
  /** Size of the parts of snapshots; tests take smaller ones. */
  snapshotPartBytes?: number;
  /** Milliseconds since the epoch. */
  now?: () => number;
  /** Waits between pages, on the same clock as `now`; rejects when the signal aborts. */
  pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** What `syncDependencies` gives. */
export type SyncDependencies = ReturnType<typeof syncDependencies>;

/** Built once for a process. */
export function syncDependencies(options: SyncOptions) {
  const { redis, keys } = options;
  return {
    ...options,
    now: options.now ?? Date.now,
    pause: options.pause ?? ((ms: number, signal: AbortSignal) => passTime(ms, undefined, { signal })),
    catalog: createCatalog(redis, keys),
    catalogHost: createCatalogHost(redis, keys),
    claims: createClaims(redis, keys, 'CATALOG_UNAVAILABLE'),
    intents: createIntents(redis, keys, 'CATALOG_UNAVAILABLE'),
    state: createSyncState(redis, keys),
    refused: createRefusedAssets(redis, keys),
    tickets: createTickets(redis, keys),
  };
}

/** Runs work under the lease of syncs, so that no sync runs at the same time. */
export interface LeasedWork extends SyncDependencies {
  token: string;
  /** Aborts when the process stops, the job is taken away or the lease is lost. */
  signal: AbortSignal;
  log: Logger;
}

/** What assets are brought in step with, in a run or one by one. */
export interface AssetWork extends Omit<LeasedWork, 'token'> {
  /** Null outside of any run. Which writes go without it is among the invariants of docs/architecture.md. */
  token: LeaseToken;
  /** When the run, or the look at single assets, began: the same for all its tries. */
  startedAtMs: number;
}

/**
 * One run in the hands of one worker: what it may use, and where it stands. `running` changes only as pages end, so that a page that
 * failed midway is repeated, and counted, from the last checkpoint.
 */
export interface SyncSession extends Omit<AssetWork, 'token'>, Omit<SyncLease, 'release'> {
  running: RunningRun;
  /** The host's budget as the fleet knew it when this worker took the run. */
  fleetBudget: HostBudget | null;
  /** Metered calls of this process that are counted already. */
  countedCalls: number;
}

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

/** Takes up a run, new or left by another worker. */
export function openSession(
  running: RunningRun,
  lease: SyncLease,
  given: SyncDependencies & Pick<SyncSession, 'fleetBudget' | 'log'>,
): SyncSession {
  const { runId, mode, trigger, startedAt } = running.run;
  const log = given.log.child({ runId, mode, trigger });
  const countedCalls = given.host.meteredCalls();
  return { ...given, ...lease, log, running, startedAtMs: Date.parse(startedAt), countedCalls };
}

/** Writes where the run stands. Throws RUN_SUPERSEDED when another worker has the lease. */
export async function checkpoint(session: SyncSession, seen: readonly number[] = []): Promise<void> {
  const { state, host, token, running } = session;
  countCalls(session);
  // Before another worker, with a clock of its own, may have to go on.
  if (host.health().lastSuccessAt !== null) running.progress.beganOnHost ??= beganOnHost(session);
  await state.checkpoint(token, running, seen, session.heard());
}

/** The host's index lags, and its clock is not ours: changes are asked for from this long before the watermark. */
export const OVERLAP_MS = 3 * 60_000;

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

/** With the names that the host gives them. */
export function unreadableFinding(unreadable: ShownAssets['unreadable']): NewFinding {
  const names = unreadable.flatMap(({ assetId, publicId }) => assetId ?? publicId ?? []);
  return ['ASSETS_UNREADABLE', names, unreadable.length];
}

/** For what may be looked at again: only where the run has met no such assets yet. */
export function noteUnreadable(
  { running: { run } }: SyncSession,
  unreadable: ShownAssets['unreadable'],
): void {
  if (unreadable.length === 0 || run.findings.some(({ code }) => code === 'ASSETS_UNREADABLE')) return;
  run.errors += unreadable.length;
  addFinding(run, ...unreadableFinding(unreadable));
}

const noDrift = { 'catalog-only': 0, different: 0, 'host-only': 0 };

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
  const { run, progress } = running;
  const taken = { ...noDrift };
  const noted = items.filter(({ kind }) => (taken[kind] += 1) <= roomForDrift(session, kind));
  if (noted.length === 0) return noted;
  const added = await state.noteDrift(token, run.runId, noted);
  progress.drift ??= { ...noDrift };
  for (const kind of driftKinds) progress.drift[kind] += added[kind];
  return noted;
}
