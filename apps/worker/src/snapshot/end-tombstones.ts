import type { SnapshotFacts } from '@holdfast/shared/sync';
import type { LeasedWork } from '../sync-run/sync-dependencies.js';

/** How far apart the clocks may be that times are compared of: the host's, Redis's and those of workers. */
export const CLOCK_MARGIN_MS = 10 * 60_000;

const HOUR_MS = 3_600_000;
/** Whoever holds an Idempotency-Key for the media may come back for a day, late notifications of the host for two hours. */
const SHORTEST_MS = 25 * HOUR_MS;
/** Without snapshots nobody knows how old those are that the host may have from before. */
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
 * From before the last whole listing, which met the asset of none of them (it would have begun its time anew), and before every
 * snapshot that is kept. Null: none yet.
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
