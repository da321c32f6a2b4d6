import type { Settings } from '@holdfast/shared/config';
import { SYNC_SCHEDULE, type MediaQueues } from '@holdfast/shared/jobs';
import { fromRedisError } from '@holdfast/shared/redis';
import type { SnapshotNote, SyncState } from '@holdfast/shared/sync';
import { endpoint } from '../http/endpoint.js';

export interface SyncStatusDependencies {
  settings: Pick<Settings, 'sync'>;
  syncState: Pick<SyncState, 'readStatus'>;
  queues: Pick<MediaQueues, 'queues'>;
}

/** What runs, what ran, and what comes next. Throws CATALOG_UNAVAILABLE. */
export const showSyncStatus = ({ settings, syncState, queues }: SyncStatusDependencies) =>
  endpoint({
    handle: async () => {
      const { intervalMinutes } = settings.sync;
      const status = await syncState.readStatus();
      const { running, lastRun, lastFullRun, recentErrors, rateLimit, snapshot } = status;
      return {
        status: 200,
        body: {
          enabled: intervalMinutes > 0,
          intervalMinutes,
          running,
          lastRun,
          lastFullRun,
          nextRunAt: intervalMinutes > 0 ? await nextRunAt(queues) : null,
          recentErrors,
          rateLimit,
          snapshot: snapshot === null ? null : snapshotFields(snapshot),
        },
      };
    },
  });

function snapshotFields({
  at,
  records,
  bytes,
}: SnapshotNote): Pick<SnapshotNote, 'at' | 'records' | 'bytes'> {
  return { at, records, bytes };
}

/** Null while no worker has set the schedule. */
async function nextRunAt({ queues }: Pick<MediaQueues, 'queues'>): Promise<string | null> {
  try {
    const next = (await queues.sync.getJobScheduler(SYNC_SCHEDULE))?.next;
    return next === undefined ? null : new Date(next).toISOString();
  } catch (error) {
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
}
