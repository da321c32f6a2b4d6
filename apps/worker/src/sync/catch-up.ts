import { isHoldfastError } from '@holdfast/shared/errors';
import { checkpoint, type SyncSession } from '../sync-run/sync-session.js';
import { eachPage } from './each-page.js';
import { reconcilePage } from '../reconcile/reconcile-page.js';
import { PAGE_SIZE } from './run-full.js';

/**
 * After a snapshot, before the whole listing, which begins with the oldest assets: what changed on the host since. The
 * listing meets these assets again, so a failure of the search costs only time; what it listed, and could not read, is not counted.
 */
export async function catchUp(session: SyncSession): Promise<void> {
  const { deps, running, signal, log } = session;
  const { progress, run } = running;
  const since = progress.catchUpSince;
  if (since === undefined || since === null) return;
  const { listed, unchanged, errors } = run;
  const request = { since: new Date(since), limit: PAGE_SIZE, signal };
  try {
    await eachPage(
      session,
      (cursor) => deps.host.changes({ ...request, cursor }),
      async (page) => void (await reconcilePage(session, page)),
    );
  } catch (error) {
    if (signal.aborted || !isHoldfastError(error, 'HOST_REJECTED', 'HOST_TIMEOUT', 'HOST_CURSOR_SPENT'))
      throw error;
    log.warn('snapshot.catch_up_failed', { error });
  }
  run.listed = listed;
  run.unchanged = unchanged;
  run.errors = errors;
  run.findings = run.findings.filter(({ code }) => code !== 'ASSETS_UNREADABLE');
  progress.catchUpSince = null;
  await checkpoint(session);
}
