import { isHoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import { isCircuitOpen, type HostFile } from '@holdfast/shared/media-host';
import { groupFiles, readManifest, type SnapshotManifest } from '@holdfast/shared/snapshot';
import type { LeasedWork, SyncDependencies } from '../sync-run/sync-dependencies.js';
import { addCounts, addFinding, checkpoint, OVERLAP_MS, type SyncSession } from '../sync-run/sync-session.js';
import { hostFiles, loadDeletions } from './load-deletions.js';
import { DamagedSnapshot, loadParts, type Loaded } from './load-parts.js';

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

/** A host that does not list its files must not stand in the way of the listing of its assets. */
async function restoreWhereReadable(work: LeasedWork): Promise<RestoreResult> {
  try {
    return await restoreSnapshot(work);
  } catch (error) {
    if (work.signal.aborted || !isRefusedByHost(error)) throw error;
    work.log.warn('snapshot.unreadable', { error });
    return { restored: null, refused: [{ id: 'all', why: 'unreachable' }] };
  }
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

interface Refusal {
  id: string;
  /** `unreachable`: the host did not give it, in three rounds. `deletions unread`: a file of later deletions was not given, or not whole. */
  why: 'newer' | 'damaged' | 'unreachable' | 'deletions unread';
}

type Restored = Loaded & { manifest: SnapshotManifest };

export interface RestoreResult {
  /** Null where there is no snapshot that may be used. */
  restored: Restored | null;
  refused: Refusal[];
}

/**
 * Brings the newest snapshot that is whole, and that the host gives, into the catalog, after the deletions that the host has notes of:
 * none where these cannot be read, and the listing does instead. Never replaces what is newer, and may be repeated. What a refused
 * one had given before is right, and stays. Rejects when Redis fails, or the host does not list its files.
 */
export async function restoreSnapshot(work: LeasedWork): Promise<RestoreResult> {
  const { settings, signal, log } = work;
  const { folder } = settings.host;
  const { list, read } = hostFiles(work);
  const files = await list();
  const complete = groupFiles(folder, files).flatMap(({ id, manifest }) =>
    manifest === null ? [] : [{ id, manifest }],
  );
  // First of all, so that what was deleted after the snapshot is never there again, not even for a moment.
  if (!(await loadDeletions(files, { list, read }, work)))
    return { restored: null, refused: complete.map(({ id }) => ({ id, why: 'deletions unread' })) };
  const refused: Refusal[] = [];

  const restore = async (id: string, file: HostFile): Promise<Restored | Refusal['why']> => {
    const bytes = await read(file.name, file.bytes);
    if (bytes === null) return 'damaged';
    const reading = readManifest(bytes);
    if (reading.kind === 'refused') return reading.why;
    const { manifest } = reading;
    // Names tell deployments apart; a file that was moved does not.
    if (manifest.folder !== folder || manifest.id !== id) return 'damaged';
    return { ...(await loadParts(manifest, read, work)), manifest };
  };
  const whyRefused = (error: unknown): Refusal['why'] => {
    if (error instanceof DamagedSnapshot) return 'damaged';
    // Files may be limited where listings are not.
    if (!signal.aborted && isRefusedByHost(error, 'HOST_RATE_LIMITED')) return 'unreachable';
    throw error;
  };

  for (const { id, manifest } of complete) {
    let cause: unknown;
    const outcome = await restore(id, manifest).catch((error: unknown) => {
      cause = error;
      return whyRefused(error);
    });
    if (typeof outcome === 'object') return { restored: outcome, refused };
    refused.push({ id, why: outcome });
    log.warn('snapshot.refused', { snapshotId: id, why: outcome, error: cause });
  }
  return { restored: null, refused };
}

const ofHost: readonly ErrorCode[] = ['HOST_REJECTED', 'HOST_TIMEOUT', 'HOST_LIMIT', 'HOST_CURSOR_SPENT'];

/** True where the host was asked and did not give what it was asked for: what a recovery goes on without. */
function isRefusedByHost(error: unknown, ...more: readonly ErrorCode[]): boolean {
  return isHoldfastError(error, ...ofHost, ...more) && !isCircuitOpen(error);
}
