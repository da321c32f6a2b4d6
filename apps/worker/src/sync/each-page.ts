import type { AssetPage } from '@holdfast/shared/media-host';
import { knownBudget, pauseBeforePage } from '../host-calls/call-budget.js';
import { fetchPatiently } from '../host-calls/fetch-patiently.js';
import type { SyncSession } from '../sync-run/sync-session.js';

/**
 * Walks a listing: while one page is settled the next one, and never more, is on its way. Pages are spread when the
 * host's calls run low; throws HOST_RATE_LIMITED when they are used up.
 */
export async function eachPage(
  session: SyncSession,
  fetch: (cursor: string | null) => Promise<AssetPage>,
  settle: (page: AssetPage) => Promise<void>,
): Promise<void> {
  const { deps, running, signal } = session;
  const fetchPaced = async (cursor: string | null, isFirst: boolean): Promise<AssetPage> => {
    // A recovery asks at least once each time it is tried: an emptied catalog must not wait an hour for a host that answers.
    const asksAnyway = isFirst && running.run.trigger === 'recovery';
    const budget = knownBudget(deps.host.budget(), session.fleetBudget);
    const waitMs = asksAnyway ? 0 : pauseBeforePage(budget, deps.now());
    if (waitMs > 0 && !isFirst) await deps.pause(waitMs, signal);
    return fetchPatiently(() => fetch(cursor), deps.settings.jobs.backoffMs, signal);
  };
  let coming = fetchPaced(running.progress.cursor, true);
  for (;;) {
    const page = await coming;
    const more = page.nextCursor !== null;
    if (more) {
      coming = fetchPaced(page.nextCursor, false);
      // Awaited in the next round; until then a failure must not count as unhandled.
      coming.catch(() => undefined);
    }
    await settle(page);
    if (!more) return;
  }
}
