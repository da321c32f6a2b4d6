import type { SyncSession } from '../sync-run/sync-session.js';
import type { Step } from './decide.js';

/**
 * A full run also looks whether Redis has lost keys of the indexes, and rebuilds them from the records. Of a page that is those
 * records that stay as they are; what was written is verified together with its entries.
 */
export async function mendEntries(session: SyncSession, steps: readonly Step[]): Promise<void> {
  const { run } = session.running;
  if (run.mode !== 'full' || run.dryRun) return;
  const kept = steps.flatMap(({ stored, action: { kind } }) =>
    stored !== null && (kind === 'unchanged' || kind === 'left') ? [stored] : [],
  );
  await noteMended(session, await session.deps.catalog.mendEntries(kept));
}

/** What no page shows. For the time of the listing, which mostly waits for the host. */
export async function mendStatuses(session: SyncSession): Promise<void> {
  if (session.running.run.dryRun) return;
  await noteMended(session, await session.deps.catalog.mendStatuses(session.signal));
}

/**
 * Before the sweep, which walks the indexes: all records, only where entries were lacking, since it takes as long as Redis is
 * large.
 */
export async function mendRest(session: SyncSession): Promise<void> {
  const { running, signal, deps } = session;
  if (running.progress.lackedEntries === true) await noteMended(session, await deps.catalog.mendAll(signal));
}

/**
 * In the progress, since another worker may go on with the run: what was lacking is there by now, and it would not know that there
 * was anything. Where the run stands is as it was safe last: a page may be half done.
 */
async function noteMended(session: SyncSession, entries: number): Promise<void> {
  if (entries === 0) return;
  const { deps, token, running, log } = session;
  running.progress.lackedEntries = true;
  const { safe } = session;
  safe.progress.lackedEntries = true;
  await deps.state.checkpoint(token, safe, [], deps.host.budget());
  log.warn('sync.indexes_mended', { entries });
}
