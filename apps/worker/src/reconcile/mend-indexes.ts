import { checkpoint, type SyncSession } from '../sync-run/sync-session.js';
import type { Step } from './reconcile-step.js';

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
  noteMended(session, await session.deps.catalog.mendEntries(kept));
}

/** What no page shows. For the time of the listing, which mostly waits for the host. */
export async function mendStatuses(session: SyncSession): Promise<void> {
  if (session.running.run.dryRun) return;
  noteMended(session, await session.deps.catalog.mendStatuses(session.signal));
}

/**
 * Before the sweep, which walks the indexes: all records, only where entries were lacking, since it takes as long as Redis is
 * large.
 */
export async function mendRest(session: SyncSession): Promise<void> {
  const { running, signal, deps } = session;
  if (running.progress.lackedEntries !== true) return;
  // What was lacking is there by now: whoever goes on after us would not know that there was anything.
  await checkpoint(session);
  noteMended(session, await deps.catalog.mendAll(signal));
}

/** In the progress, since another worker may go on with the run. */
function noteMended({ running, log }: SyncSession, entries: number): void {
  if (entries === 0) return;
  running.progress.lackedEntries = true;
  log.warn('sync.indexes_mended', { entries });
}
