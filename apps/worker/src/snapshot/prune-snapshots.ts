import type { MediaHost } from '@holdfast/shared/media-host';
import { groupFiles, snapshotPrefix } from '@holdfast/shared/snapshot';

const KEPT = 3;

/**
 * Removes all but the newest complete snapshots, and what unfinished ones left. For the holder of the lease alone: one
 * that is being written has no manifest yet. Answers how many files went. One metered call.
 */
export async function pruneSnapshots(
  host: Pick<MediaHost, 'listFiles' | 'removeFile'>,
  folder: string,
  signal: AbortSignal,
): Promise<number> {
  const snapshots = groupFiles(folder, await host.listFiles(snapshotPrefix(folder), signal));
  const kept = new Set(snapshots.filter(({ manifest }) => manifest !== null).slice(0, KEPT));
  const doomed = snapshots.filter((snapshot) => !kept.has(snapshot));
  // Without its manifest a snapshot that is half removed counts as unfinished.
  const files = doomed.flatMap(({ manifest, parts }) => (manifest === null ? parts : [manifest, ...parts]));
  for (const { name } of files) await host.removeFile(name, signal);
  return files.length;
}
