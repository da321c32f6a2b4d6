// Stands where apps/worker/src/sync will be; goes away with the commit that wires it.
import type { SyncSettings } from '@holdfast/shared/config';
import { syncJob, type MediaQueues } from '@holdfast/shared/jobs';
import type { JobHandler } from './job-handler.js';

export interface SyncRequests {
  afterUpload(): void;
  recovery(): Promise<void>;
}

export function createSyncRequests(queues: MediaQueues, settings: SyncSettings): SyncRequests {
  return {
    afterUpload: () => {
      void queues
        .add(
          syncJob,
          { trigger: 'upload', dryRun: false, force: false },
          {
            jobId: undefined as never,
            delay: settings.afterUploadDelayMs,
            deduplication: { id: 'upload', keepLastIfActive: true },
          },
        )
        .catch(() => undefined);
    },
    recovery: async () => {
      await queues.add(
        syncJob,
        { trigger: 'recovery', mode: 'full', dryRun: false, force: false },
        { jobId: undefined as never, deduplication: { id: 'recovery', keepLastIfActive: true } },
      );
    },
  };
}

export function createSyncHandler(): JobHandler<'sync'> {
  return () => Promise.resolve();
}
