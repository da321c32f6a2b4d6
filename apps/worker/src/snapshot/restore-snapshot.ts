import { isHoldfastError, type ErrorCode } from '@holdfast/shared/errors';
import type { Logger } from '@holdfast/shared/logging';
import { isCircuitOpen, type HostFile, type MediaHost } from '@holdfast/shared/media-host';
import { groupFiles, readManifest, snapshotPrefix, type SnapshotManifest } from '@holdfast/shared/snapshot';
import { fetchPatiently } from '../host-calls/fetch-patiently.js';
import { loadDeletions } from './load-deletions.js';
import { DamagedSnapshot, loadParts, type Loaded, type LoadingParts } from './load-parts.js';

export interface RestoreParts extends Omit<LoadingParts, 'read'> {
  host: Pick<MediaHost, 'listFiles' | 'readFile'>;
  backoffMs: number;
  log: Logger;
}

export interface Refusal {
  id: string;
  /** `unreachable`: the host did not give it, in three rounds. `deletions unread`: a file of later deletions was not given, or not whole. */
  why: 'newer' | 'damaged' | 'unreachable' | 'deletions unread';
}

const ofHost: readonly ErrorCode[] = ['HOST_REJECTED', 'HOST_TIMEOUT', 'HOST_LIMIT', 'HOST_CURSOR_SPENT'];

/** True where the host was asked and did not give what it was asked for: what a recovery goes on without. */
export function isRefusedByHost(error: unknown, ...more: readonly ErrorCode[]): boolean {
  return isHoldfastError(error, ...ofHost, ...more) && !isCircuitOpen(error);
}

type Restored = Loaded & { manifest: SnapshotManifest };

interface CompleteSnapshot {
  id: string;
  manifest: HostFile;
}

export interface RestoreResult {
  /** Null where there is no snapshot that may be used. */
  restored: Restored | null;
  refused: Refusal[];
}

/**
 * Brings the newest snapshot that is whole, and that the host gives, into the catalog, after the deletions that the host has notes of:
 * none where these cannot be read, and the listing does instead. Never replaces what is newer, and may be repeated. What a refused one had given before is right, and stays. Rejects
 * when Redis fails, or the host does not list its files.
 */
export async function restoreSnapshot(parts: RestoreParts): Promise<RestoreResult> {
  const { host, folder, backoffMs, signal, log } = parts;
  const read = (name: string, bytes: number): Promise<Buffer | null> =>
    fetchPatiently(() => host.readFile(name, signal, bytes), backoffMs, signal);
  const list = (): Promise<HostFile[]> =>
    fetchPatiently(() => host.listFiles(snapshotPrefix(folder), signal), backoffMs, signal);
  const files = await list();
  const complete = groupFiles(folder, files).flatMap(({ id, manifest }) =>
    manifest === null ? [] : [{ id, manifest }],
  );
  // First of all, so that what was deleted after the snapshot is never there again, not even for a moment.
  if (!(await loadDeletions(files, { ...parts, list, read })))
    return { restored: null, refused: complete.map(({ id }) => ({ id, why: 'deletions unread' })) };
  const refused: Refusal[] = [];

  const restore = async ({ id, manifest: file }: CompleteSnapshot): Promise<Restored | Refusal['why']> => {
    const bytes = await read(file.name, file.bytes);
    if (bytes === null) return 'damaged';
    const reading = readManifest(bytes);
    if (reading.kind === 'refused') return reading.why;
    const { manifest } = reading;
    // Names tell deployments apart; a file that was moved does not.
    if (manifest.folder !== folder || manifest.id !== id) return 'damaged';
    return { ...(await loadParts(manifest, { ...parts, read })), manifest };
  };
  const whyRefused = (error: unknown): Refusal['why'] => {
    if (error instanceof DamagedSnapshot) return 'damaged';
    // Files may be limited where listings are not.
    if (!signal.aborted && isRefusedByHost(error, 'HOST_RATE_LIMITED')) return 'unreachable';
    throw error;
  };

  for (const { id, manifest } of complete) {
    let cause: unknown;
    const outcome = await restore({ id, manifest }).catch((error: unknown) => {
      cause = error;
      return whyRefused(error);
    });
    if (typeof outcome === 'object') return { restored: outcome, refused };
    refused.push({ id, why: outcome });
    log.warn('snapshot.refused', { snapshotId: id, why: outcome, error: cause });
  }
  return { restored: null, refused };
}
