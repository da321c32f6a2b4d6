import type { Logger } from '@holdfast/shared/logging';
import type { MediaHost } from '@holdfast/shared/media-host';
import {
  groupFiles,
  readManifest,
  snapshotPrefix,
  type SnapshotFiles,
  type SnapshotManifest,
} from '@holdfast/shared/snapshot';
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
  why: 'newer' | 'damaged';
}

export interface RestoreResult {
  /** Null where there is no snapshot that may be used. */
  restored: (Loaded & { manifest: SnapshotManifest }) | null;
  refused: Refusal[];
}

/**
 * Brings the newest snapshot that is whole into the catalog, after the deletions that the host tells of. Never replaces
 * what is newer, and may be repeated. What a damaged one had given before the damage showed is right, and stays. Rejects
 * when the host or Redis fails.
 */
export async function restoreSnapshot(parts: RestoreParts): Promise<RestoreResult> {
  const { host, folder, backoffMs, signal, log } = parts;
  const read = (name: string): Promise<Buffer | null> =>
    fetchPatiently(() => host.readFile(name, signal), backoffMs, signal);
  const files = await fetchPatiently(() => host.listFiles(snapshotPrefix(folder), signal), backoffMs, signal);
  const refused: Refusal[] = [];
  // First of all, so that what was deleted after the snapshot is never there again, not even for a moment.
  await loadDeletions(files, parts);

  const restore = async (snapshot: SnapshotFiles): Promise<RestoreResult['restored'] | Refusal['why']> => {
    const bytes = snapshot.manifest === null ? null : await read(snapshot.manifest.name);
    if (bytes === null) return 'damaged';
    const reading = readManifest(bytes);
    if (reading.kind === 'refused') return reading.why;
    const { manifest } = reading;
    // Names tell deployments apart; a file that was moved does not.
    if (manifest.folder !== folder || manifest.id !== snapshot.id) return 'damaged';
    try {
      return { ...(await loadParts(manifest, { ...parts, read })), manifest };
    } catch (error) {
      if (error instanceof DamagedSnapshot) return 'damaged';
      throw error;
    }
  };

  for (const snapshot of groupFiles(folder, files)) {
    if (snapshot.manifest === null) continue;
    const outcome = await restore(snapshot);
    if (typeof outcome === 'object') return { restored: outcome, refused };
    refused.push({ id: snapshot.id, why: outcome });
    log.warn('snapshot.refused', { snapshotId: snapshot.id, why: outcome });
  }
  return { restored: null, refused };
}
