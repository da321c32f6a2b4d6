import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { resourceTypes } from '@holdfast/shared/media';
import type { AssetPage } from '@holdfast/shared/media-host';
import { addFinding } from '@holdfast/shared/sync';
import { verifyOpen } from '../reconcile/apply.js';
import { reconcilePage, type ReconciledPage } from '../reconcile/reconcile-page.js';
import { fetchPatiently, knownBudget, pauseBeforePage } from '../sync-run/host-calls.js';
import { checkpoint, noteUnreadable, type SyncSession } from '../sync-run/sync-session.js';
import { sweepMissing } from './sweep-missing.js';

const PAGE_SIZE = 500;
/** How often the host may forget a cursor before the run fails. */
const RESTARTS = 3;

/**
 * A full run meets every asset of every type, from where it stands, and then sweeps the records that no page showed: `partial` when it
 * held something back. An incremental run meets what changed on the host, and concludes nothing from what does not appear.
 */
export async function walkHost(session: SyncSession): Promise<'ok' | 'partial'> {
  if (session.running.run.mode === 'incremental') {
    await listAll(session);
    return 'ok';
  }
  await catchUp(session);
  // Both end before a failure of one is thrown, since the lease is released then.
  for (const ended of await Promise.allSettled([listAll(session), repairIndexes(session)]))
    if (ended.status === 'rejected') throw ended.reason;
  return sweepMissing(session);
}

/** Beside the listing, which mostly waits for the host, and before the sweep, which walks the indexes. */
async function repairIndexes({ catalog, running, signal, log }: SyncSession): Promise<void> {
  if (running.run.dryRun) return;
  const { added, dropped } = await catalog.repairIndexes(signal);
  if (added + dropped > 0) log.warn('sync.indexes_repaired', { added, dropped });
}

type Fetch = (cursor: string | null) => Promise<AssetPage>;

function changesSince({ host, signal }: SyncSession, since: string | null): Fetch {
  return (cursor) => host.changes({ since: new Date(since ?? 0), cursor, limit: PAGE_SIZE, signal });
}

/** From where the run stands, and again from the first listing where the host has forgotten the cursor. */
async function listAll(session: SyncSession): Promise<void> {
  const { progress, run } = session.running;
  for (let restarts = 0; ; restarts += 1) {
    try {
      return await listOn(session);
    } catch (error) {
      if (!isHoldfastError(error, 'HOST_CURSOR_SPENT') || restarts >= RESTARTS) throw error;
      session.log.warn('sync.cursor_spent', { resourceType: progress.resourceType });
      // What was seen stays seen; only the counts of what is listed again go back.
      progress.cursor = null;
      progress.resourceType = null;
      run.listed = 0;
      run.unchanged = 0;
      await checkpoint(session);
    }
  }
}

/** The listings of a run, one after the other: one for each type, or that of the changes. */
async function listOn(session: SyncSession): Promise<void> {
  const { host, running, signal } = session;
  const { progress, run } = running;
  const isFull = run.mode === 'full';
  if (progress.sweeping) return;
  const first = resourceTypes.indexOf(progress.resourceType ?? resourceTypes[0]);
  const types = isFull ? resourceTypes.slice(first) : [null];
  for (const [n, type] of types.entries()) {
    const fetch: Fetch =
      type === null
        ? changesSince(session, progress.since)
        : (cursor) => host.list({ resourceType: type, cursor, limit: PAGE_SIZE, signal });
    await walk(session, progress.cursor, fetch, async (page, nextCursor) => {
      addPage(session, page);
      progress.restoring = false;
      progress.cursor = nextCursor;
      if (nextCursor === null) {
        progress.resourceType = types[n + 1] ?? null;
        progress.sweeping = progress.resourceType === null;
      }
      // After the last page of an incremental run comes its end, which says the same.
      if (isFull || nextCursor !== null) await checkpoint(session, page.seen);
    });
  }
}

function addPage(
  { running: { run } }: SyncSession,
  { counts, findings }: Pick<ReconciledPage, 'counts' | 'findings'>,
): void {
  for (const name of Object.keys(counts) as (keyof typeof counts)[]) run[name] += counts[name];
  for (const finding of findings) addFinding(run, ...finding);
}

/**
 * After a snapshot, before the whole listing, which begins with the oldest assets: what changed on the host since. The
 * listing meets these assets again, so a failure of the search costs only time; what it listed, and could not read, is not counted.
 */
async function catchUp(session: SyncSession): Promise<void> {
  const { running, signal, log } = session;
  const { progress, run } = running;
  const { catchUpSince = null } = progress;
  if (catchUpSince === null) return;
  const { errors } = run;
  try {
    await walk(session, null, changesSince(session, catchUpSince), ({ counts, findings }) =>
      addPage(session, { findings, counts: { ...counts, listed: 0, unchanged: 0 } }),
    );
  } catch (error) {
    if (signal.aborted || !isHoldfastError(error, 'HOST_REJECTED', 'HOST_TIMEOUT', 'HOST_CURSOR_SPENT'))
      throw error;
    log.warn('snapshot.catch_up_failed', { error });
  }
  run.errors = errors;
  run.findings = run.findings.filter(({ code }) => code !== 'ASSETS_UNREADABLE');
  progress.catchUpSince = null;
  await checkpoint(session);
}

/**
 * Walks one listing. Pipeline of three: while page n is decided and done, page n+1 is fetched and page n-1 is verified and ends. Pages
 * are spread when the host's calls run low; throws HOST_RATE_LIMITED when they are used up.
 */
async function walk(
  session: SyncSession,
  start: string | null,
  fetch: Fetch,
  endOfPage: (page: ReconciledPage, nextCursor: string | null) => void | Promise<void>,
): Promise<void> {
  const { host, running, signal } = session;
  const fetchPaced = async (cursor: string | null, isFirst: boolean): Promise<AssetPage> => {
    // A recovery asks at least once each time it is tried: an emptied catalog must not wait an hour for a host that answers.
    const asksAnyway = isFirst && running.run.trigger === 'recovery';
    const budget = knownBudget(host.budget(), session.fleetBudget);
    const waitMs = asksAnyway ? 0 : pauseBeforePage(budget, session.now());
    if (waitMs > 0 && !isFirst) await session.pause(waitMs, signal);
    return fetchPatiently(() => fetch(cursor), session);
  };
  const verifyAndEnd = async (page: ReconciledPage, nextCursor: string | null): Promise<void> => {
    const unproven = await verifyOpen(session, page.open);
    running.run.errors += unproven;
    await endOfPage(page, nextCursor);
  };
  // Awaited in the next round; until then a failure must not count as unhandled.
  const deferRejection = <T>(work: Promise<T>): Promise<T> => {
    work.catch(() => undefined);
    return work;
  };
  let nextPage = fetchPaced(start, true);
  let lastPage = Promise.resolve();
  try {
    for (;;) {
      const page = await nextPage;
      const { nextCursor } = page;
      if (nextCursor !== null) nextPage = deferRejection(fetchPaced(nextCursor, false));
      if (page.unreadable.length > page.assets.length) {
        await lastPage;
        rejectUnreadable(session, page);
      }
      const reconciled = await reconcilePage(session, page);
      await lastPage;
      lastPage = deferRejection(verifyAndEnd(reconciled, nextCursor));
      if (nextCursor === null) return await lastPage;
    }
  } finally {
    await lastPage.catch(() => undefined);
  }
}

/**
 * Throws HOST_REJECTED for a page of which more than half cannot be read: then it is not the assets, and to go on would be to take a
 * host that we do not understand for an empty one. A single odd asset, alone on its page, does not keep the run from all others that
 * it has read.
 */
function rejectUnreadable(session: SyncSession, { assets, unreadable }: AssetPage): void {
  const { length } = unreadable;
  if (length === 1 && session.running.run.listed > 0) return;
  noteUnreadable(session, unreadable);
  throw new HoldfastError(
    'HOST_REJECTED',
    `${String(length)} of ${String(length + assets.length)} assets of a page cannot be read`,
  );
}
