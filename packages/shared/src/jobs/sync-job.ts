import { z } from 'zod';
import { defineJob } from './define-job.js';

/** Id of the recurring sync in its queue. */
export const SYNC_SCHEDULE = 'auto-sync';

/**
 * What asked for a run. startup: a worker began, or another Redis server serves; upload: media were verified;
 * manual: a person; recovery: the catalog was found empty, or is new (whatever asked for the first run); webhook: no run, a
 * look after a notification.
 */
export const syncTriggers = ['startup', 'schedule', 'upload', 'manual', 'webhook', 'recovery'] as const;
/** Kept in the history of runs, so none may be renamed. */
export type SyncTrigger = (typeof syncTriggers)[number];

/** full: every asset of the host; incremental: what changed there since an earlier run. */
export const syncModes = ['incremental', 'full'] as const;
/** An incremental run concludes nothing from what it does not meet. */
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

/** A wish for a run, with `dryRun` and `force` filled in. */
export type SyncPayload = ReturnType<typeof syncJob.parse>;
