import { timeOfId } from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';
import { deletionFiles, groupFiles, snapshotPrefix } from '@holdfast/shared/snapshot';
import { CALLS_AT_ONCE, inParallel } from '../host-calls/in-parallel.js';

const KEPT = 3;
/** How far the host's clock may be from the one that named the snapshots. */
const CLOCK_MARGIN_MS = 10 * 60_000;

/**
 * Removes all but the newest complete snapshots, what unfinished ones left, and the notes of deletions that each kept
 * snapshot knows of. For the holder of the lease alone: one that is being written has no manifest yet. Answers how many
 * files went. One metered call for each 500 files.
 */
export async function pruneSnapshots(
  host: Pick<MediaHost, 'listFiles' | 'removeFile'>,
  folder: string,
  signal: AbortSignal,
): Promise<number> {
  const files = await host.listFiles(snapshotPrefix(folder), signal);
  const snapshots = groupFiles(folder, files);
  const kept = snapshots.filter(({ manifest }) => manifest !== null).slice(0, KEPT);
  const doomed = snapshots.filter((snapshot) => !kept.includes(snapshot));
  // Without its manifest a snapshot that is half removed counts as unfinished.
  const spent = doomed.flatMap(({ manifest, parts }) => (manifest === null ? parts : [manifest, ...parts]));
  for (const { name } of spent) await host.removeFile(name, signal);

  const oldest = kept.at(-1);
  if (oldest === undefined) return spent.length;
  const knownUntil = timeOfId(oldest.id) - CLOCK_MARGIN_MS;
  const told = deletionFiles(folder, files).filter(({ file }) => Date.parse(file.storedAt) < knownUntil);
  await inParallel(told, CALLS_AT_ONCE, ({ file }) => host.removeFile(file.name, signal));
  return spent.length + told.length;
}
