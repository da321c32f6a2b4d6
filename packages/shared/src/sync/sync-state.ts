import type { RedisClient, RedisKeys } from '../redis/index.js';
import { driftReport } from './drift-report.js';
import { syncReads } from './sync-reads.js';
import { syncWrites } from './sync-writes.js';

/** The state of sync runs in Redis: who runs, how far, and what earlier runs left and found. */
export function createSyncState(redis: RedisClient, keys: RedisKeys) {
  return { ...syncReads(redis, keys), ...syncWrites(redis, keys), ...driftReport(redis, keys) };
}

/** What `createSyncState` gives. What takes a token is for the worker that holds the lease. */
export type SyncState = ReturnType<typeof createSyncState>;
