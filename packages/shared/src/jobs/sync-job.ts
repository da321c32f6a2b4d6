import { z } from 'zod';
import { defineJob } from './define-job.js';

/** Id of the recurring sync in its queue. */
export const SYNC_SCHEDULE = 'auto-sync';

export const syncTriggers = ['startup', 'schedule', 'upload', 'manual', 'webhook', 'recovery'] as const;
export type SyncTrigger = (typeof syncTriggers)[number];

export const syncModes = ['incremental', 'full'] as const;
export type SyncMode = (typeof syncModes)[number];

/**
 * Brings the catalog in step with the host. Without a mode the run decides: full when the last full one is too old.
 * Without a runId (schedules repeat one payload) the run takes a fresh one.
 */
export const syncJob = defineJob({
  name: 'sync',
  queue: 'sync',
  payload: z.object({
    trigger: z.enum(syncTriggers),
    mode: z.enum(syncModes).optional(),
    runId: z.string().optional(),
    dryRun: z.boolean().default(false),
    force: z.boolean().default(false),
  }),
  idFor: ({ trigger, runId }) => `sync-${runId ?? trigger}`,
});

export type SyncPayload = ReturnType<typeof syncJob.parse>;
