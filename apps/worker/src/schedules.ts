import { jobOptions, syncJob, SYNC_SCHEDULE, type SyncPayload } from '@holdfast/shared/jobs';
import type { Dependencies } from './dependencies.js';

/** Workers of one fleet do not start in the same second. */
const FLEET_STARTS_WITHIN_MS = 10_000;

/** The jobs that no client asks for, as one list: the recurring sync and the one after a start. */
export function createSchedules(deps: Pick<Dependencies, 'queues' | 'settings' | 'log'>) {
  const { sync, jobs } = deps.settings;
  const { queues } = deps.queues;
  const every = sync.intervalMinutes * 60_000;
  const payload = (trigger: SyncPayload['trigger']): SyncPayload => ({
    trigger,
    dryRun: false,
    force: false,
  });
  // Every run has an id of its own: that of a job still kept would be ignored.
  const options = jobOptions(jobs);
  return {
    /** True when a schedule must be there: its key may be watched. */
    wanted: every > 0,
    /** Makes Redis hold what the settings say: adding what is there, or removing what is not, changes nothing. */
    ensure: async (): Promise<void> => {
      if (every === 0) {
        if (await queues.sync.removeJobScheduler(SYNC_SCHEDULE)) deps.log.info('schedule.removed');
        return;
      }
      // Without a start date the first run would be now, at each first start.
      await queues.sync.upsertJobScheduler(
        SYNC_SCHEDULE,
        { every, startDate: Date.now() + every },
        { name: syncJob.name, data: payload('schedule'), opts: options },
      );
    },
    /** One sync after a start, however many processes start. */
    requestStartup: async (): Promise<void> => {
      if (!sync.onStartup) return;
      const delay = sync.startupDelayMs;
      const deduplication = { id: 'startup', ttl: delay + FLEET_STARTS_WITHIN_MS };
      await queues.sync.add(syncJob.name, payload('startup'), { ...options, delay, deduplication });
    },
  };
}
