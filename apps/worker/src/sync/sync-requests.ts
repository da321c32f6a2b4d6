import type { SyncSettings } from '@holdfast/foundation/config';
import type { Logger } from '@holdfast/foundation/logging';
import {
  jobOptions,
  syncJob,
  SYNC_SCHEDULE,
  type MediaQueues,
  type SyncMode,
  type SyncTrigger,
} from '@holdfast/shared/jobs';
import { newMediaId } from '@holdfast/shared/media';
import type { RedisProfile } from '@holdfast/shared/redis';
import type { Dependencies } from '../dependencies.js';

type Queues = Pick<MediaQueues, 'add'>;

/**
 * Requests with the same reason are merged by BullMQ's dedup id. Every job has an id of its own, since BullMQ ignores ids that it
 * still keeps. Throws QUEUE_UNAVAILABLE.
 */
async function requestSync(
  queues: Queues,
  reason: 'after-upload' | 'server-changed' | 'recovery' | 'second-look',
  trigger: SyncTrigger,
  delay: number,
): Promise<void> {
  const mode: SyncMode = trigger === 'recovery' ? 'full' : 'incremental';
  const payload = { trigger, mode, runId: newMediaId(), dryRun: false, force: false };
  await queues.add(syncJob, payload, {
    delay,
    deduplication: { id: `sync-${reason}`, keepLastIfActive: true },
  });
}

/** Longer than a listing of the host lags behind its uploads. With it, an emptied catalog is complete after about a minute. */
const SECOND_LOOK_MS = 30_000;

/**
 * A recovery has listed the host. What was uploaded right before Redis was emptied may not have been in any listing yet, and
 * nothing else would look for it until the next scheduled run. Throws QUEUE_UNAVAILABLE.
 */
export function requestSecondLook(queues: Queues): Promise<void> {
  return requestSync(queues, 'second-look', 'startup', SECOND_LOOK_MS);
}

/** Where the settings do not set the delay. */
const SERVER_CHANGED_MS = 2_000;
/** Part of the delay in which further uploads are served by the sync that is requested already. */
const SERVED_SHARE = 0.75;

/** Requests syncs, besides the schedule and people. */
export function createSyncRequests(
  queues: Queues,
  { afterUploadDelayMs, intervalMinutes }: Pick<SyncSettings, 'afterUploadDelayMs' | 'intervalMinutes'>,
  { uploadSyncMs }: Pick<RedisProfile, 'uploadSyncMs'>,
  log: Logger,
) {
  const delay = afterUploadDelayMs ?? uploadSyncMs;
  const scheduleServes =
    afterUploadDelayMs === null && intervalMinutes > 0 && intervalMinutes * 60_000 <= uploadSyncMs;
  let servedUntil = -Infinity;
  return {
    /** Called after each verified upload: one sync a little later serves all of them, or the next scheduled one. Never throws, never waits. */
    afterUpload: (): void => {
      const now = performance.now();
      if (scheduleServes || now < servedUntil) return;
      servedUntil = now + delay * SERVED_SHARE;
      requestSync(queues, 'after-upload', 'upload', delay).catch((error: unknown) => {
        servedUntil = -Infinity;
        log.warn('sync.request_failed', { error });
      });
    },
    /** Redis was restarted, or another server serves: what it lacks of the last uploads is on the host. Throws QUEUE_UNAVAILABLE. */
    serverChanged: () =>
      requestSync(queues, 'server-changed', 'startup', afterUploadDelayMs ?? SERVER_CHANGED_MS),
    /** The catalog was found empty. Throws QUEUE_UNAVAILABLE. */
    recovery: () => requestSync(queues, 'recovery', 'recovery', 0),
  };
}

/** Makes Redis hold the recurring sync that the settings ask for: adding what is there, or removing what is not, changes nothing. */
export async function ensureSchedule({
  queues: { queues },
  settings: { sync, jobs },
  log,
}: Pick<Dependencies, 'queues' | 'settings' | 'log'>): Promise<void> {
  const every = sync.intervalMinutes * 60_000;
  if (every === 0) {
    if (await queues.sync.removeJobScheduler(SYNC_SCHEDULE)) log.info('schedule.removed');
    return;
  }
  await queues.sync.upsertJobScheduler(
    SYNC_SCHEDULE,
    // Without a start date the first run would be now, at each first start.
    { every, startDate: Date.now() + every },
    {
      name: syncJob.name,
      data: { trigger: 'schedule', dryRun: false, force: false },
      opts: jobOptions(jobs),
    },
  );
}

/** Workers of one fleet do not start in the same second. */
const FLEET_STARTS_WITHIN_MS = 10_000;

/** One sync after a start, however many processes start. Like those of the schedule it names no run, and its job no id. */
export async function requestStartupSync({
  queues: { queues },
  settings: { sync, jobs },
}: Pick<Dependencies, 'queues' | 'settings'>): Promise<void> {
  if (!sync.onStartup) return;
  const delay = sync.startupDelayMs;
  const deduplication = { id: 'startup', ttl: delay + FLEET_STARTS_WITHIN_MS };
  const payload = { trigger: 'startup', dryRun: false, force: false };
  await queues.sync.add(syncJob.name, payload, { ...jobOptions(jobs), delay, deduplication });
}
