import type { SnapshotFacts } from '@holdfast/shared/sync';
import type { LeasedWork } from '../sync-run/sync-dependencies.js';

/** How far apart the clocks may be whose times are compared: the host's, those of Redis and of workers. */
export const CLOCK_MARGIN_MS = 10 * 60_000;

const HOUR_MS = 3_600_000;
/** A client may repeat an upload under its Idempotency-Key for a day; late notifications of the host come within two hours. */
const SHORTEST_MS = 25 * HOUR_MS;
/** Without snapshots: the host may still have some from before, of unknown age. */
const WITHOUT_SNAPSHOTS_MS = 30 * 24 * HOUR_MS;

/** Ends the tombstones that nothing needs any more. A failure is logged: the next full run ends them. */
export async function endTombstones({
  catalog,
  state,
  settings,
  now,
  token,
  log,
}: Pick<LeasedWork, 'catalog' | 'state' | 'settings' | 'now' | 'token' | 'log'>): Promise<void> {
  try {
    const beforeMs = tombstonesEndBefore(await state.readSnapshotFacts(), settings.sync.snapshots, now());
    const ended = beforeMs === null ? 0 : await catalog.endTombstones(beforeMs, token);
    if (ended > 0) log.info('sync.tombstones_ended', { tombstones: ended });
  } catch (error) {
    log.warn('sync.tombstones_kept', { error });
  }
}

/**
 * Tombstones from before this time may end: from before the last whole listing, which met none of their assets (or it would have
 * renewed the tombstone), and before every snapshot that is kept. Null: none yet.
 */
export function tombstonesEndBefore(
  { lastFullAt, keptSince }: Pick<SnapshotFacts, 'lastFullAt' | 'keptSince'>,
  snapshots: boolean,
  nowMs: number,
): number | null {
  if (lastFullAt === null || (snapshots && keptSince === null)) return null;
  const listedMs = Date.parse(lastFullAt) - CLOCK_MARGIN_MS;
  if (!snapshots) return Math.min(listedMs, nowMs - WITHOUT_SNAPSHOTS_MS);
  const keptSinceMs = Date.parse(keptSince ?? '') - CLOCK_MARGIN_MS;
  return Math.min(listedMs, keptSinceMs, nowMs - SHORTEST_MS);
}
