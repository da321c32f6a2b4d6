import { z } from 'zod';
import { resourceTypes } from '../media/index.js';
import { defineJob } from './define-job.js';

/** Assets that one job looks at; longer notifications become several jobs. */
export const REFRESH_AT_ONCE = 50;

const asset = z.object({
  publicId: z.string(),
  resourceType: z.enum(resourceTypes),
  /** Null where the notification does not tell. */
  assetId: z.string().nullable(),
  version: z.number().nullable(),
});

/**
 * Looks at assets that the host says have changed, and brings their records in step. A notification is a hint: what the
 * host answers when the job runs decides, so order and repeats do not matter.
 */
export const refreshJob = defineJob({
  name: 'refresh',
  queue: 'save',
  payload: z.object({
    /** Names the notification. */
    notification: z.string(),
    part: z.number().int().min(0),
    change: z.enum(['uploaded', 'changed', 'deleted']),
    /** Milliseconds since the epoch. */
    receivedAt: z.number(),
    assets: z.array(asset).min(1).max(REFRESH_AT_ONCE),
  }),
  idFor: ({ notification, part }) => `refresh-${notification}-${String(part)}`,
});

/** One part of a notification: up to `REFRESH_AT_ONCE` assets, all with the same change. */
export type RefreshPayload = ReturnType<typeof refreshJob.parse>;
