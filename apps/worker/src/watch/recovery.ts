import { catalogEpoch } from '@holdfast/shared/catalog';
import { settleHost, type SettleHostParts } from '@holdfast/shared/catalog-host';
import type { Logger } from '@holdfast/foundation/logging';
import type { HostIdentity } from '@holdfast/shared/media';
import { redisEdge, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import type { ServerMonitor } from '@holdfast/shared/durability';
import type { SyncRequests } from '../sync/sync-requests.js';

/** Longer than a request takes. After a crash the next look requests it again. */
const LEASE_MS = 10_000;

/**
 * Redis was emptied, or is new: no error says so, only the missing key. One process requests a recovery, and only then
 * sets the key, so that after a crash in between another one does.
 */
export async function requestRecovery(
  redis: RedisClient,
  keys: RedisKeys,
  syncRequests: { recovery(): Promise<void> },
  log: Logger,
): Promise<void> {
  await redisEdge('QUEUE_UNAVAILABLE')(async () => {
    if ((await redis.set(keys.epochLease, 1, 'PX', LEASE_MS, 'NX')) === null) return;
    // A first start is no reason for a warning; a recovery that brings something back warns.
    log.info('watch.catalog_empty');
    try {
      await syncRequests.recovery();
    } catch (error) {
      // The connection of the queues may be back a moment after this one: the next look asks again.
      await redis.del(keys.epochLease);
      throw error;
    }
    await catalogEpoch(redis, keys).noteEpoch(Date.now());
  });
}

/**
 * Requests a sync where another server serves, or the same one was restarted: without fsync on every write, or after a
 * failover, it may lack what the one before had acknowledged. Throws QUEUE_UNAVAILABLE.
 */
export function createServerChanges(
  server: Pick<ServerMonitor, 'serverRun'>,
  syncRequests: Pick<SyncRequests, 'serverChanged'>,
  log: Logger,
): () => Promise<void> {
  let last: string | null = null;
  return async () => {
    const now = server.serverRun();
    if (now === last) return;
    if (last !== null) {
      log.warn('watch.server_changed');
      await syncRequests.serverChanged();
    }
    last = now;
  };
}

/** Follows whether the catalog belongs to the host of this worker. */
export function createHostChanges(parts: SettleHostParts) {
  const { catalogHost, identity, log } = parts;
  let other: HostIdentity | null = null;
  let settled = false;
  return {
    /**
     * Looks at the start and when Redis was emptied, and then only while the catalog belongs to another host. It then says that
     * this worker is running, for an API that uses the right one.
     */
    look: async (isWiped: boolean): Promise<void> => {
      if (!settled || isWiped) other = await settleHost(parts);
      else if (other !== null) {
        const belongsTo = await catalogHost.read();
        if (belongsTo === identity) log.info('host.settled', { host: identity });
        other = belongsTo === identity ? null : belongsTo;
      }
      settled = true;
      if (other !== null) await catalogHost.noteOther(identity);
    },
    /** As of the last look. What this host lacks may then be on the other one. */
    isChanged: () => other !== null,
  };
}
