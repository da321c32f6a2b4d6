import type { RedisClient, RedisKeys } from '../redis/index.js';
import { syncReads } from './sync-reads.js';
import { syncWrites } from './sync-writes.js';

/** The state of sync runs in Redis: who runs, how far, and what earlier runs left. */
export function createSyncState(redis: RedisClient, keys: RedisKeys) {
  return { ...syncReads(redis, keys), ...syncWrites(redis, keys) };
}

export type SyncState = ReturnType<typeof createSyncState>;
