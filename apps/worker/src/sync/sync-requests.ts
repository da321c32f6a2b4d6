import type { SyncSettings } from '@holdfast/shared/config';
import { syncJob, type MediaQueues, type SyncPayload } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/shared/logging';
import { newMediaId } from '@holdfast/shared/media';

/** What asks for a sync besides the schedule and people. */
export interface SyncRequests {
  /** A media was verified: one sync a little later serves all of them. Never throws, never waits. */
  afterUpload(): void;
  /** Redis was restarted, or another server serves: what it lacks of the last uploads is on the host. Throws QUEUE_UNAVAILABLE. */
  serverChanged(): Promise<void>;
  /** The catalog was found empty. Throws QUEUE_UNAVAILABLE. */
  recovery(): Promise<void>;
}

/** Part of the delay in which further uploads are served by the sync that is asked for already. */
const SERVED_SHARE = 0.75;

export function createSyncRequests(
  queues: Pick<MediaQueues, 'add'>,
  settings: Pick<SyncSettings, 'afterUploadDelayMs'>,
  log: Logger,
): SyncRequests {
  const delay = settings.afterUploadDelayMs;
  let servedUntil = -Infinity;

  // Every job has an id of its own, since BullMQ ignores ids that it still keeps; what merges them is the dedup id.
  const request = (payload: Pick<SyncPayload, 'trigger' | 'mode'>, delayMs: number, id: string) =>
    queues.add(
      syncJob,
      { ...payload, runId: newMediaId(), dryRun: false, force: false },
      { delay: delayMs, deduplication: { id, keepLastIfActive: true } },
    );

  return {
    afterUpload: () => {
      const now = performance.now();
      if (now < servedUntil) return;
      servedUntil = now + delay * SERVED_SHARE;
      request({ trigger: 'upload', mode: 'incremental' }, delay, 'sync-after-upload').catch(
        (error: unknown) => {
          servedUntil = -Infinity;
          log.warn('sync.request_failed', { error });
        },
      );
    },
    serverChanged: () => request({ trigger: 'startup', mode: 'incremental' }, delay, 'sync-server-changed'),
    recovery: () => request({ trigger: 'recovery', mode: 'full' }, 0, 'sync-recovery'),
  };
}
