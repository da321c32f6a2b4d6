import type { SyncDependencies } from '../sync-run/sync-dependencies.js';
import { addCounts, addFinding, checkpoint, OVERLAP_MS, type SyncSession } from '../sync-run/sync-session.js';
import { verifyRecords } from '../verify/verify-records.js';
import {
  isRefusedByHost,
  restoreSnapshot,
  type RestoreParts,
  type RestoreResult,
} from './restore-snapshot.js';

/** The first step of a recovery: the snapshot, where there is one. The listing that follows brings it up to date. */
export async function restoreCatalog(session: SyncSession): Promise<void> {
  const { deps, running, token, signal, log } = session;
  const { run, progress } = running;
  if (progress.restoring !== true) return;
  progress.restoring = false;
  if (!deps.settings.sync.snapshots) return;
  const { restored, refused } = await restoreWhereReadable({ ...deps, token, signal, log });
  if (refused.length > 0)
    addFinding(
      session,
      'SNAPSHOT_REFUSED',
      refused.map(({ id, why }) => `${id} (${why})`),
    );
  // What came from a snapshot, used or refused, and is gone from the host since is found missing by this run already.
  progress.lastSequence = await deps.state.lastSequence();
  // No checkpoint: where the listing fails too, the next try begins with the snapshots again.
  if (restored === null) return;
  const { manifest, created, unproven } = restored;
  addFinding(session, 'SNAPSHOT_RESTORED', [manifest.id], manifest.records);
  addCounts(run, { created, errors: unproven });
  run.expected = manifest.records;
  progress.catchUpSince = new Date(Date.parse(manifest.at) - OVERLAP_MS).toISOString();
  await checkpoint(session);
  await noteRestored(deps, token, { restored, refused });
  log.info('snapshot.restored', { snapshotId: manifest.id, records: manifest.records, created, unproven });
}

type Places = Omit<RestoreParts, 'folder' | 'backoffMs' | 'verify'> & SyncDependencies;

/** A host that does not list its files must not stand in the way of the listing of its assets. */
async function restoreWhereReadable(places: Places): Promise<RestoreResult> {
  try {
    return await restoreInto(places);
  } catch (error) {
    if (places.signal.aborted || !isRefusedByHost(error)) throw error;
    places.log.warn('snapshot.unreadable', { error });
    return { restored: null, refused: [{ id: 'all', why: 'unreachable' }] };
  }
}

/** Restores with the verification that syncs use. */
export function restoreInto(places: Places): Promise<RestoreResult> {
  return restoreSnapshot({
    ...places,
    folder: places.settings.host.folder,
    backoffMs: places.settings.jobs.backoffMs,
    verify: (records) => verifyRecords(records, places),
  });
}

/** The next snapshot is due once something changes; at once where the newest one could not be used. */
export async function noteRestored(
  { state }: Pick<SyncDependencies, 'state'>,
  token: string,
  { restored, refused }: RestoreResult,
): Promise<void> {
  if (restored === null) return;
  const { id, at, records, parts } = restored.manifest;
  const { changes } = await state.readSnapshotFacts();
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  await state.note(token, {
    snapshot: { id, at, records, bytes, changes: refused.length === 0 ? changes : null },
  });
}
