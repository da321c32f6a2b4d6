import { setTimeout as passTime } from 'node:timers/promises';
import { createCatalog } from '@holdfast/shared/catalog';
import { createCatalogHost } from '@holdfast/shared/catalog-host';
import type { Settings } from '@holdfast/foundation/config';
import { createTickets } from '@holdfast/shared/direct-uploads';
import type { Barrier } from '@holdfast/shared/durability';
import { createClaims } from '@holdfast/shared/idempotency';
import { createIntents, createRefusedAssets } from '@holdfast/shared/intents';
import type { MediaQueues } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/foundation/logging';
import type { MediaHost } from '@holdfast/shared/media-host';
import type { LeaseToken, RedisClient, RedisKeys } from '@holdfast/shared/redis';
import type { DeletionNotes } from '@holdfast/shared/snapshot';
import { createSyncState } from '@holdfast/shared/sync';
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
