import type { Settings } from '@holdfast/foundation/config';
import { SYNC_SCHEDULE, type MediaQueues } from '@holdfast/shared/jobs';
import type { HostBudget, MediaHost } from '@holdfast/shared/media-host';
import { redisEdge } from '@holdfast/shared/redis';
import type { SyncState } from '@holdfast/shared/sync';
import type { Answer } from '../http/route.js';

export interface SyncStatusDependencies {
  settings: Pick<Settings, 'sync'>;
  syncState: Pick<SyncState, 'readStatus'>;
  queues: Pick<MediaQueues, 'queues'>;
  host: Pick<MediaHost, 'budget'>;
}

/** The running, the last and the next run. Throws CATALOG_UNAVAILABLE. */
export const showSyncStatus =
  ({ settings, syncState, queues, host }: SyncStatusDependencies) =>
  async (): Promise<Answer> => {
    const [status, schedule] = await Promise.all([syncState.readStatus(), readSchedule(queues)]);
    const { running, lastRun, lastFullRun, recentErrors, rateLimit, snapshot } = status;
    // The workers keep the schedule. Before one has set it, our own settings are all that is known.
    const intervalMinutes = schedule?.intervalMinutes ?? settings.sync.intervalMinutes;
    return {
      status: 200,
      body: {
        enabled: intervalMinutes > 0,
        intervalMinutes,
        running,
        lastRun,
        lastFullRun,
        nextRunAt: schedule?.nextRunAt ?? null,
        recentErrors,
        rateLimit: lastHeard(rateLimit, host.budget()),
        snapshot: snapshot && { at: snapshot.at, records: snapshot.records, bytes: snapshot.bytes },
      },
    };
  };

/** What the fleet has kept, or a newer answer to this process: deletions may ask the host by asset id. */
function lastHeard(fleet: HostBudget | null, own: HostBudget | null): Omit<HostBudget, 'heardAt'> | null {
  const isOwn = own !== null && own.heardAt > (fleet?.heardAt ?? 0);
  const heard = isOwn ? own : fleet;
  if (heard === null) return null;
  const { limit, remaining, resetAt } = heard;
  return { limit, remaining, resetAt };
}

const MINUTE_MS = 60_000;

/** Null where no worker has set it. */
async function readSchedule({ queues }: Pick<MediaQueues, 'queues'>) {
  const scheduler = await redisEdge('CATALOG_UNAVAILABLE')(() => queues.sync.getJobScheduler(SYNC_SCHEDULE));
  const { every, next } = scheduler ?? {};
  if (every === undefined || next === undefined) return null;
  return { intervalMinutes: every / MINUTE_MS, nextRunAt: new Date(next).toISOString() };
}
