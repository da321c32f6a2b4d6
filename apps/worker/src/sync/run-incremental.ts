import { isHoldfastError } from '@holdfast/shared/errors';
import { beganOnHost, checkpoint, type SyncSession } from '../sync-run/sync-session.js';
import { eachPage } from './each-page.js';
import { reconcilePage } from '../reconcile/reconcile-page.js';
import { PAGE_SIZE, type RunEnd } from './run-full.js';

const RESTARTS = 3;

/** What changed on the host since the run's mark. Nothing is concluded from what does not appear. */
export async function runIncremental(session: SyncSession): Promise<RunEnd> {
  const { deps, running, signal } = session;
  const { progress, run } = running;
  const since = new Date(progress.since ?? 0);
  for (let restarts = 0; ; restarts += 1) {
    try {
      await eachPage(
        session,
        (cursor) => deps.host.changes({ since, cursor, limit: PAGE_SIZE, signal }),
        async ({ nextCursor, ...page }) => {
          await reconcilePage(session, page);
          progress.cursor = nextCursor;
          // The last page is followed by the end of the run, which says the same.
          if (nextCursor !== null) await checkpoint(session);
        },
      );
      break;
    } catch (error) {
      if (!isHoldfastError(error, 'HOST_CURSOR_SPENT') || restarts >= RESTARTS) throw error;
      progress.cursor = null;
      run.listed = 0;
      run.unchanged = 0;
    }
  }
  const at = beganOnHost(session);
  if (run.dryRun) return { result: 'ok', outcome: {} };
  // Runs after uploads look back less far, so they leave the mark to the others.
  const outcome = run.trigger === 'upload' ? { lookedAt: at } : { lookedAt: at, watermark: at };
  return { result: 'ok', outcome };
}
