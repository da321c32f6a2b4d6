import { z } from 'zod';

/** A misbehaviour in the delivery of notifications. */
export const webhookFaultSchema = z.strictObject({
  kind: z.enum(['drop', 'duplicate', 'late', 'reorder']),
  /** `notification_type`; absent = any. */
  event: z.string().optional(),
  /** late: how much later. reorder: how long one is held for a later one to overtake it. Default 1000. */
  ms: z.number().optional(),
  /** How many notifications it hits. Default 1; null = until cleared. */
  count: z.int().min(1).nullable().optional(),
});

export type WebhookFault = z.infer<typeof webhookFaultSchema>;
