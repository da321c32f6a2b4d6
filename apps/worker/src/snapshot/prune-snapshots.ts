import { timeOfId } from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';
import { deletionFiles, groupFiles, snapshotPrefix, type ListedDeletions } from '@holdfast/shared/snapshot';
import { CALLS_AT_ONCE, inParallel } from '../host-calls/in-parallel.js';

const KEPT = 3;
/** How far apart the clocks may be that times are compared of: the host's, Redis's and those of workers. */
export const CLOCK_MARGIN_MS = 10 * 60_000;

export interface PruneParts {
  host: Pick<MediaHost, 'listFiles' | 'removeFile'>;
  listed: Pick<ListedDeletions, 'add' | 'drop'>;
  folder: string;
  signal: AbortSignal;
}

export interface Pruned {
  /** How many files went. */
  files: number;
  /** When the oldest snapshot that is kept was begun. */
  keptSinceMs: number | null;
}

/**
 * Removes all but the newest complete snapshots, what unfinished ones left, and the files of deletions that each kept
 * snapshot knows of; lists the others. For the holder of the lease alone: a snapshot that is being written has no manifest yet. One
 * metered call for each 500 files.
 */
export async function pruneSnapshots({ host, listed, folder, signal }: PruneParts): Promise<Pruned> {
  const files = await host.listFiles(snapshotPrefix(folder), signal);
  const snapshots = groupFiles(folder, files);
  const kept = snapshots.filter(({ manifest }) => manifest !== null).slice(0, KEPT);
  const doomed = snapshots.filter((snapshot) => !kept.includes(snapshot));
  // Without its manifest a snapshot that is half removed counts as unfinished.
  const spent = doomed.flatMap(({ manifest, parts }) => (manifest === null ? parts : [manifest, ...parts]));
  for (const { name } of spent) await host.removeFile(name, signal);

  const oldest = kept.at(-1);
  const keptSinceMs = oldest === undefined ? null : timeOfId(oldest.id);
  const knownUntilMs = (keptSinceMs ?? 0) - CLOCK_MARGIN_MS;
  const deletions = deletionFiles(folder, files).map(({ file }) => file);
  const isKnown = ({ storedAt }: { storedAt: string }): boolean => Date.parse(storedAt) < knownUntilMs;
  const known = deletions.filter(isKnown).map(({ name }) => name);
  // A crash, or an emptied Redis, may have left some that are not listed.
  await listed.add(deletions.filter((file) => !isKnown(file)).map(({ name }) => name));
  await inParallel(known, CALLS_AT_ONCE, (name) => host.removeFile(name, signal));
  await listed.drop(known);
  return { files: spent.length + known.length, keptSinceMs };
}
