import type { SyncSettings } from '@holdfast/foundation/config';
import { syncJob, type MediaQueues, type SyncPayload } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/foundation/logging';
import { newMediaId } from '@holdfast/shared/media';
import type { RedisProfile } from '@holdfast/shared/redis';

/** Requests syncs, besides the schedule and people. */
export interface SyncRequests {
  /** Called after each verified upload: one sync a little later serves all of them, or the next scheduled one. Never throws, never waits. */
  afterUpload(): void;
  /** Redis was restarted, or another server serves: what it lacks of the last uploads is on the host. Throws QUEUE_UNAVAILABLE. */
  serverChanged(): Promise<void>;
  /** The catalog was found empty. Throws QUEUE_UNAVAILABLE. */
  recovery(): Promise<void>;
}

/** Longer than a listing of the host lags behind its uploads. With it, an emptied catalog is complete after about a minute. */
const SECOND_LOOK_MS = 30_000;

/** Where the settings do not set the delay. */
const SERVER_CHANGED_MS = 2_000;

/** Part of the delay in which further uploads are served by the sync that is requested already. */
const SERVED_SHARE = 0.75;

type Request = Pick<SyncPayload, 'trigger' | 'mode'>;

/** Every job has an id of its own, since BullMQ ignores ids that it still keeps; what merges them is the dedup id. */
async function requestSync(
  queues: Pick<MediaQueues, 'add'>,
  request: Request,
  delay: number,
  id: string,
): Promise<void> {
  const payload = { ...request, runId: newMediaId(), dryRun: false, force: false };
  await queues.add(syncJob, payload, { delay, deduplication: { id, keepLastIfActive: true } });
}

/**
 * A recovery has listed the host. What was uploaded right before Redis was emptied may not have been in any listing yet, and
 * nothing else would look for it until the next scheduled run. Throws QUEUE_UNAVAILABLE.
 */
export function requestSecondLook(queues: Pick<MediaQueues, 'add'>): Promise<void> {
  return requestSync(queues, { trigger: 'startup', mode: 'incremental' }, SECOND_LOOK_MS, 'sync-second-look');
}

export function createSyncRequests(
  queues: Pick<MediaQueues, 'add'>,
  { afterUploadDelayMs, intervalMinutes }: Pick<SyncSettings, 'afterUploadDelayMs' | 'intervalMinutes'>,
  { uploadSyncMs }: Pick<RedisProfile, 'uploadSyncMs'>,
  log: Logger,
): SyncRequests {
  const delay = afterUploadDelayMs ?? uploadSyncMs;
  const scheduleServes =
    afterUploadDelayMs === null && intervalMinutes > 0 && intervalMinutes * 60_000 <= uploadSyncMs;
  let servedUntil = -Infinity;

  return {
    afterUpload: () => {
      const now = performance.now();
      if (scheduleServes || now < servedUntil) return;
      servedUntil = now + delay * SERVED_SHARE;
      requestSync(queues, { trigger: 'upload', mode: 'incremental' }, delay, 'sync-after-upload').catch(
        (error: unknown) => {
          servedUntil = -Infinity;
          log.warn('sync.request_failed', { error });
        },
      );
    },
    serverChanged: () =>
      requestSync(
        queues,
        { trigger: 'startup', mode: 'incremental' },
        afterUploadDelayMs ?? SERVER_CHANGED_MS,
        'sync-server-changed',
      ),
    recovery: () => requestSync(queues, { trigger: 'recovery', mode: 'full' }, 0, 'sync-recovery'),
  };
}
