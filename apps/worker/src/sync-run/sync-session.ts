import { setTimeout as passTime } from 'node:timers/promises';
import type { Settings } from '@holdfast/foundation/config';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import { createCatalog } from '@holdfast/shared/catalog';
import { createCatalogHost } from '@holdfast/shared/catalog-host';
import { createTickets } from '@holdfast/shared/direct-uploads';
import { createClaims } from '@holdfast/shared/idempotency';
import { createIntents } from '@holdfast/shared/intents';
import type { MediaQueues } from '@holdfast/shared/jobs';
import type { HostBudget, MediaHost, ShownAssets } from '@holdfast/shared/media-host';
import type { LeaseToken, RedisClient, RedisKeys } from '@holdfast/shared/redis';
import type { DeletionNotes } from '@holdfast/shared/snapshot';
import {
  addFinding,
  createSyncState,
  SYNC_LEASE_MS,
  type NewFinding,
  type RunningRun,
  type SyncState,
} from '@holdfast/shared/sync';
import type { ProofParts } from '../verify/verify-records.js';

/** What the sync depends on. */
export interface SyncOptions extends Omit<ProofParts, 'catalog'> {
  settings: Pick<Settings, 'host' | 'sync' | 'jobs' | 'durability' | 'uploads' | 'dataDir'>;
  /** A connection of the role `background`. */
  redis: RedisClient;
  keys: RedisKeys;
  host: MediaHost;
  deletionNotes: Pick<DeletionNotes, 'add'>;
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
    tickets: createTickets(redis, keys),
  };
}

/** What assets are brought in step with, in a run or one by one. */
export interface AssetWork extends SyncDependencies {
  /** Null outside of any run. Which writes go without it is among the invariants of docs/architecture.md. */
  token: LeaseToken;
  /** Aborts when the process stops, the job is taken away or the lease is lost. */
  signal: AbortSignal;
  log: Logger;
}

/** What runs under the lease of syncs, so that no sync runs at the same time. */
export interface LeasedWork extends AssetWork {
  token: string;
}

/**
 * One run in the hands of one worker: what it may use, and where it stands. `running` changes only as pages end, so that a page that
 * failed midway is repeated, and counted, from the last checkpoint.
 */
export interface SyncSession extends LeasedWork {
  /** See `holdLease`. */
  heard: () => HostBudget | null;
  running: RunningRun;
  /** The host's budget as the fleet knew it when this worker took the run. */
  fleetBudget: HostBudget | null;
  /** How far the count of metered calls of this process is ahead of that of the run. */
  callsAhead: number;
}

/** What a session is opened with. */
export type SessionParts = Omit<SyncSession, 'running' | 'callsAhead'>;

/**
 * The right to run, for one worker of the fleet, null while another has it; and what a run is decided by, of the run with this id too
 * where one is given. Pages renew the lease, and a timer does while the host is slow. Once it cannot have been renewed in time the run
 * ends by itself. Its end keeps what the host said of its calls.
 */
export async function holdLease(
  { state, host }: { state: SyncState; host: Pick<MediaHost, 'budget' | 'meteredCalls'> },
  parent: AbortSignal,
  runId = '',
) {
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
  /** The host's budget, where this process has asked the host since it took the lease. */
  const heard = (): HostBudget | null => (host.meteredCalls() > callsBefore ? host.budget() : null);
  const release = async (): Promise<void> => {
    clearInterval(timer);
    // What cannot be released expires by itself, and may be another worker's by now.
    await state.release(token, heard()).catch(() => undefined);
  };
  /** Aborts with the parent, or when the lease is lost (RUN_SUPERSEDED). */
  const signal = AbortSignal.any([parent, lost.signal]);
  return { lease: { token, signal, heard, release }, facts };
}

/** Takes up a run, new or left by another worker. */
export function openSession(running: RunningRun, parts: SessionParts): SyncSession {
  const { runId, mode, trigger, hostCalls } = running.run;
  const log = parts.log.child({ runId, mode, trigger });
  return { ...parts, log, running, callsAhead: parts.host.meteredCalls() - hostCalls };
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
export function beganOnHost({ host, now, running: { run, progress } }: SyncSession): string {
  return progress.beganOnHost ?? new Date(Date.parse(run.startedAt) + host.hostNow() - now()).toISOString();
}

export function countCalls({ host, running, callsAhead }: SyncSession): void {
  running.run.hostCalls = host.meteredCalls() - callsAhead;
}

/** With the names that the host gives them. */
export function unreadableFinding(unreadable: ShownAssets['unreadable']): NewFinding {
  const names = unreadable.flatMap(({ assetId, publicId }) => assetId ?? publicId ?? []);
  return ['ASSETS_UNREADABLE', names, unreadable.length];
}

/** For what may be looked at again: only where the run has met no such assets yet. */
export function noteUnreadable({ running }: SyncSession, unreadable: ShownAssets['unreadable']): void {
  const { run } = running;
  if (unreadable.length === 0 || run.findings.some(({ code }) => code === 'ASSETS_UNREADABLE')) return;
  run.errors += unreadable.length;
  addFinding(run, ...unreadableFinding(unreadable));
}
