import { isHoldfastError } from '@holdfast/foundation/errors';
import { resourceTypes, type ResourceType } from '@holdfast/shared/media';
import type { AssetPage, ShownAssets } from '@holdfast/shared/media-host';
import type { RunOutcome } from '@holdfast/shared/sync';
import { verifyOpen } from '../reconcile/apply.js';
import { reconcilePage, type ReconciledPage } from '../reconcile/reconcile-page.js';
import { fetchPatiently, knownBudget, pauseBeforePage } from '../sync-run/host-calls.js';
import {
  addCounts,
  beganOnHost,
  checkpoint,
  standingOf,
  type SyncSession,
} from '../sync-run/sync-session.js';
import { sweepMissing } from './sweep-missing.js';

const PAGE_SIZE = 500;
/** How often the host may forget the cursor of one listing before the run fails. */
const RESTARTS = 3;

export interface RunEnd {
  result: 'ok' | 'partial';
  outcome: RunOutcome;
}

/** Every asset of every type, from where the run stands; then the sweep of records that no page showed. */
export async function runFull(session: SyncSession): Promise<RunEnd> {
  const { run } = session.running;
  await catchUp(session);
  // Both end before a failure of one is thrown, since the lease is released then.
  for (const ended of await Promise.allSettled([listAll(session), repairIndexes(session)]))
    if (ended.status === 'rejected') throw ended.reason;
  const result = await sweepMissing(session);
  const at = beganOnHost(session);
  const outcome = run.dryRun ? {} : { watermark: at, lastFullAt: run.startedAt, lookedAt: at };
  return { result, outcome };
}

/** What changed on the host since the run's watermark. Nothing is concluded from what does not appear. */
export async function runIncremental(session: SyncSession): Promise<RunEnd> {
  const { deps, running, signal } = session;
  const since = new Date(running.progress.since ?? 0);
  await walk(session, {
    fetch: (cursor) => deps.host.changes({ since, cursor, limit: PAGE_SIZE, signal }),
    settle: async (page, nextCursor) => {
      const reconciled = await reconcilePage(session, page);
      running.progress.cursor = nextCursor;
      // The last page is followed by the end of the run, which says the same.
      return endOfPage(session, reconciled, nextCursor !== null);
    },
  });
  const at = beganOnHost(session);
  if (running.run.dryRun) return { result: 'ok', outcome: {} };
  // Runs after uploads look back less far, so they leave the watermark to the others.
  const outcome = running.run.trigger === 'upload' ? { lookedAt: at } : { lookedAt: at, watermark: at };
  return { result: 'ok', outcome };
}

/** Beside the listing, which mostly waits for the host, and before the sweep, which walks the indexes. */
async function repairIndexes({ deps, running, signal, log }: SyncSession): Promise<void> {
  if (running.run.dryRun) return;
  const entries = await deps.catalog.repairIndexes(signal);
  if (entries > 0) log.warn('sync.indexes_repaired', { entries });
}

async function listAll(session: SyncSession): Promise<void> {
  const { deps, signal, running } = session;
  const { progress } = running;
  if (progress.sweeping) return;
  progress.resourceType ??= resourceTypes[0];
  for (const resourceType of resourceTypes.slice(resourceTypes.indexOf(progress.resourceType)))
    await walk(session, {
      fetch: (cursor) => deps.host.list({ resourceType, cursor, limit: PAGE_SIZE, signal }),
      settle: async (page, nextCursor) => {
        const reconciled = await reconcilePage(session, page);
        progress.cursor = nextCursor;
        if (nextCursor === null) enterNextType(session, resourceType);
        return endOfPage(session, reconciled);
      },
    });
}

function enterNextType({ running: { progress, run } }: SyncSession, done: ResourceType): void {
  const next = resourceTypes[resourceTypes.indexOf(done) + 1];
  if (next === undefined) progress.sweeping = true;
  else progress.resourceType = next;
  progress.listedBefore = run.listed;
  progress.unchangedBefore = run.unchanged;
}

/**
 * After a snapshot, before the whole listing, which begins with the oldest assets: what changed on the host since. The
 * listing meets these assets again, so a failure of the search costs only time; what it listed, and could not read, is not counted.
 */
async function catchUp(session: SyncSession): Promise<void> {
  const { deps, running, signal, log } = session;
  const { progress, run } = running;
  if (progress.catchUpSince === undefined || progress.catchUpSince === null) return;
  const { listed, unchanged, errors } = run;
  const since = new Date(progress.catchUpSince);
  try {
    await eachPage(
      session,
      (cursor) => deps.host.changes({ since, cursor, limit: PAGE_SIZE, signal }),
      async (page) => endOfPage(session, await reconcilePage(session, page), false),
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

/** Of a page whose steps are done: verifies what they brought in, and then writes that the run has come so far. */
type EndOfPage = () => Promise<void>;

function endOfPage(session: SyncSession, { seen, open }: ReconciledPage, isKept = true): EndOfPage {
  const standing = standingOf(session);
  return async () => {
    const errors = await verifyOpen(session, open);
    for (const { run } of [standing, session.running]) addCounts(run, { errors });
    if (isKept) await checkpoint(session, seen, standing);
  };
}

interface Walk {
  fetch: (cursor: string | null) => Promise<AssetPage>;
  settle: (page: ShownAssets, nextCursor: string | null) => Promise<EndOfPage>;
}

/** Walks one listing from where the run stands, and again from its start where the host has forgotten the cursor. */
async function walk(session: SyncSession, { fetch, settle }: Walk): Promise<void> {
  const { progress, run } = session.running;
  for (let restarts = 0; ; restarts += 1) {
    try {
      return await eachPage(session, fetch, ({ nextCursor, ...page }) => settle(page, nextCursor));
    } catch (error) {
      if (!isHoldfastError(error, 'HOST_CURSOR_SPENT') || restarts >= RESTARTS) throw error;
      session.log.warn('sync.cursor_spent', { resourceType: progress.resourceType });
      // What was seen stays seen; only the counts of what is listed again go back.
      progress.cursor = null;
      run.listed = progress.listedBefore;
      run.unchanged = progress.unchangedBefore;
      await checkpoint(session);
    }
  }
}

/**
 * Pipeline of three: while page n is decided, page n+1 is fetched and page n-1 is verified and checkpointed. Pages are spread when
 * the host's calls run low; throws HOST_RATE_LIMITED when they are used up.
 */
async function eachPage(
  session: SyncSession,
  fetch: (cursor: string | null) => Promise<AssetPage>,
  settle: (page: AssetPage) => Promise<EndOfPage>,
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
  // Awaited in the next round; until then a failure must not count as unhandled.
  const deferRejection = <T>(work: Promise<T>): Promise<T> => {
    work.catch(() => undefined);
    return work;
  };
  let nextPage = fetchPaced(running.progress.cursor, true);
  try {
    for (;;) {
      const page = await nextPage;
      const more = page.nextCursor !== null;
      if (more) nextPage = deferRejection(fetchPaced(page.nextCursor, false));
      const finishPage = await settle(page);
      await session.lastPage;
      session.lastPage = deferRejection(finishPage());
      if (!more) return await session.lastPage;
    }
  } finally {
    await session.lastPage.catch(() => undefined);
  }
}
