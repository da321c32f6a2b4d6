import { isHoldfastError } from '@holdfast/foundation/errors';
import { abortReason, isAborted } from '@holdfast/foundation/lifecycle';
import {
  isCircuitOpen,
  isTransientHostError,
  type HostFile,
  type MediaHost,
} from '@holdfast/shared/media-host';
import {
  decodeDeletions,
  deletionFiles,
  listedDeletions,
  snapshotLoading,
  snapshotPrefix,
  type DeletionFile,
} from '@holdfast/shared/snapshot';
import { fetchPatiently, inParallel, LOOKS_AT_ONCE } from '../sync-run/host-calls.js';
import type { LeasedWork } from '../sync-run/sync-dependencies.js';
import type { SyncSession } from '../sync-run/sync-session.js';

const BATCH = 500;
/** Listings at most: while they are read, other processes may join files. */
const LISTINGS = 10;

/** The files that this deployment keeps on a host. */
export interface HostFiles {
  /** One metered call for each 500 of them. */
  list: () => Promise<HostFile[]>;
  /** A file of the host of about this size; null where there is none. */
  read: (name: string, bytes: number) => Promise<Buffer | null>;
}

/** Asks again when the host stumbles. */
export function hostFiles({
  host,
  settings,
  signal,
}: Pick<LeasedWork, 'settings' | 'signal'> & { host: Pick<MediaHost, 'listFiles' | 'readFile'> }): HostFiles {
  const { backoffMs } = settings.jobs;
  const prefix = snapshotPrefix(settings.host.folder);
  return {
    list: () => fetchPatiently(() => host.listFiles(prefix, signal), backoffMs, signal),
    read: (name, bytes) => fetchPatiently(() => host.readFile(name, signal, bytes), backoffMs, signal),
  };
}

/**
 * After a start of ours or of Redis: it may have lost its last writes, without being empty, and deletions among them. What was
 * acknowledged and is lost comes back from the host; what was deleted must not.
 */
export async function repeatDeletions({ deps, running, token, signal, log }: SyncSession): Promise<void> {
  if (running.run.trigger !== 'startup' || !deps.settings.sync.snapshots) return;
  const work = { ...deps, token, signal, log };
  const files = hostFiles(work);
  try {
    await loadDeletions(await files.list(), files, work);
  } catch (error) {
    // A host that will not give its files at all must not stand in the way of the sync.
    if (!isHoldfastError(error, 'HOST_REJECTED') || isTransientHostError(error)) throw error;
    log.warn('snapshot.unreadable', { error });
  }
}

/**
 * Deletes here, once more, what these files of the host say was deleted. Records that are there go, their assets too. False where not
 * all of them could be read: an older snapshot may then have records of deleted media. `isEarlierHost`: they are on the host that
 * this catalog is moved from, where they are never joined.
 */
export async function loadDeletions(
  files: readonly HostFile[],
  { list, read }: HostFiles,
  { redis, keys, settings, token, signal, log }: LeasedWork,
  isEarlierHost = false,
): Promise<boolean> {
  const { folder } = settings.host;
  const loading = snapshotLoading(redis, keys, token);
  let deletions = 0;
  const load = async (tombstones: readonly { id: string; deletedMs: number }[]): Promise<void> => {
    for (let start = 0; start < tombstones.length; start += BATCH) {
      signal.throwIfAborted();
      await loading.loadTombstones(tombstones.slice(start, start + BATCH));
    }
    deletions += tombstones.length;
  };

  const seen = new Set<string>();
  const denied = new Set<string>();
  const loaded: string[] = [];
  let isGone = false;
  let isReadable = true;
  const loadFile = async ({ file, count }: DeletionFile): Promise<void> => {
    const { name, bytes, storedAt } = file;
    const body = await read(name, bytes).catch((error: unknown) => {
      if (isAborted(signal)) throw abortReason(signal);
      // Of the host as a whole: the listing would not be answered either. Files may be limited where listings are not.
      if (isCircuitOpen(error)) throw error;
      log.warn('snapshot.deletions_unread', { files: [name], error });
      return 'unreadable' as const;
    });
    if (body === null) {
      // Listed again after it was denied, it was not joined.
      if (denied.has(name)) isReadable = false;
      denied.add(name);
      isGone = true;
      return;
    }
    seen.add(name);
    if (body === 'unreadable') {
      isReadable = false;
      return;
    }
    const ids = decodeDeletions(body);
    await load(ids.map((id) => ({ id, deletedMs: Date.parse(storedAt) })));
    loaded.push(name);
    // Cut short, or something else in its place.
    if (ids.length === count) return;
    isReadable = false;
    log.warn('snapshot.deletions_unread', { files: [name], noted: count, read: ids.length });
  };

  let listed = deletionFiles(folder, files);
  await load(
    listed.flatMap(({ id, file }) => (id === null ? [] : [{ id, deletedMs: Date.parse(file.storedAt) }])),
  );
  for (let listings = 1; ; listings += 1) {
    isGone = false;
    const unread = listed.filter(({ id, file }) => id === null && !seen.has(file.name));
    await inParallel(unread, LOOKS_AT_ONCE, loadFile);
    if (!isGone || !isReadable || listings >= LISTINGS) break;
    // What is gone was joined. The file with its notes was there before it went.
    listed = deletionFiles(folder, await list());
  }
  if (!isEarlierHost) await listedDeletions(redis, keys).add(loaded);
  if (deletions > 0) log.info('snapshot.deletions_restored', { deletions });
  return isReadable && !isGone;
}
