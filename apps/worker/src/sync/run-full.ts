import { isHoldfastError } from '@holdfast/shared/errors';
import { resourceTypes, type ResourceType } from '@holdfast/shared/media';
import type { RunOutcome } from '@holdfast/shared/sync';
import { beganOnHost, checkpoint, type SyncSession } from '../sync-run/sync-session.js';
import { eachPage } from './each-page.js';
import { mendRest, mendStatuses } from '../reconcile/mend-indexes.js';
import { reconcilePage } from '../reconcile/reconcile-page.js';
import { sweepMissing } from './sweep-missing.js';

export const PAGE_SIZE = 500;
/** How often the host may forget the cursor of one type before the run fails. */
const RESTARTS = 3;

export interface RunEnd {
  result: 'ok' | 'partial';
  outcome: RunOutcome;
}

/** Every asset of every type, from where the run stands; then the sweep. */
export async function runFull(session: SyncSession): Promise<RunEnd> {
  const { run } = session.running;
  // Both have ended before a failure of one is told: then the lease may go.
  for (const ended of await Promise.allSettled([listAll(session), mendStatuses(session)]))
    if (ended.status === 'rejected') throw ended.reason;
  await mendRest(session);
  const result = await sweepMissing(session);
  const at = beganOnHost(session);
  const outcome = run.dryRun ? {} : { watermark: at, lastFullAt: run.startedAt, lookedAt: at };
  return { result, outcome };
}

async function listAll(session: SyncSession): Promise<void> {
  const { progress } = session.running;
  if (progress.sweeping) return;
  progress.resourceType ??= resourceTypes[0];
  for (const type of resourceTypes.slice(resourceTypes.indexOf(progress.resourceType)))
    await listType(session, type);
}

async function listType(session: SyncSession, resourceType: ResourceType): Promise<void> {
  const { deps, running, signal } = session;
  const { progress, run } = running;
  const fetch = (cursor: string | null) => deps.host.list({ resourceType, cursor, limit: PAGE_SIZE, signal });
  for (let restarts = 0; ; restarts += 1) {
    try {
      await eachPage(session, fetch, async ({ nextCursor, ...page }) => {
        const seen = await reconcilePage(session, page);
        progress.cursor = nextCursor;
        if (nextCursor === null) enterNextType(session, resourceType);
        await checkpoint(session, seen);
      });
      return;
    } catch (error) {
      if (!isHoldfastError(error, 'HOST_CURSOR_SPENT') || restarts >= RESTARTS) throw error;
      session.log.warn('sync.cursor_spent', { resourceType });
      // What was seen stays seen; only the counts of what is listed again go back.
      progress.cursor = null;
      run.listed = progress.listedBefore;
      run.unchanged = progress.unchangedBefore;
      await checkpoint(session);
    }
  }
}

function enterNextType({ running: { progress, run } }: SyncSession, done: ResourceType): void {
  const next = resourceTypes[resourceTypes.indexOf(done) + 1];
  if (next === undefined) progress.sweeping = true;
  else progress.resourceType = next;
  progress.listedBefore = run.listed;
  progress.unchangedBefore = run.unchanged;
}
