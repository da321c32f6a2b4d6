import type { Logger } from '@holdfast/shared/logging';
import type { ServerJudgement } from '../server-judgement.js';
import type { SyncRequests } from '../sync/sync-requests.js';

/**
 * Asks for a sync where another server serves, or the same one was started anew: without fsync on every write, or after a
 * failover, it may lack what the one before had acknowledged. Throws QUEUE_UNAVAILABLE.
 */
export function createServerChanges(
  server: Pick<ServerJudgement, 'serverRun'>,
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
