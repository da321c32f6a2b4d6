import { HandBack, type RefreshPayload } from '@holdfast/shared/jobs';
import type { SyncDependencies } from '../sync-run/sync-dependencies.js';

/** The host may be away for longer than the tries of a job last; after this time a sync has seen it all. */
export const WAIT_FOR_HOST_MS = 20 * 60_000;
/** Notifications are many: the longer they have waited, the more rarely they ask. */
const REFILL_SOON_MS = 2_000;
const REFILL_LATER_MS = 60_000;

/**
 * The tombstones, too, come back with the recovery: before it, what was deleted would come in. Where the host gives no
 * listing for so long, its single assets are better than nothing.
 */
export async function untilRefilled(
  { receivedAt }: RefreshPayload,
  { state, now }: Pick<SyncDependencies, 'state' | 'now'>,
): Promise<void> {
  const waitedMs = now() - receivedAt;
  if (waitedMs >= WAIT_FOR_HOST_MS || (await state.readMarks()).lastFullAt !== null) return;
  const delayMs = Math.min(Math.max(waitedMs, REFILL_SOON_MS), REFILL_LATER_MS);
  throw new HandBack('the catalog is to be refilled first', delayMs);
}
