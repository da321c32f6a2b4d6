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
const LISTINGS = 3;

/** The files that this deployment keeps on a host. */
export interface HostFiles {
  host: Pick<MediaHost, 'identity'>;
  /** One metered call for each 500 of them. */
  list: () => Promise<HostFile[]>;
  /** A file of the host of about this size; null where there is none. */
  read: (name: string, bytes: number) => Promise<Buffer | null>;
}

/** Asks again when the host stumbles. */
export function hostFiles(host: MediaHost, { settings, signal }: LeasedWork): HostFiles {
  const { backoffMs } = settings.jobs;
  const prefix = snapshotPrefix(settings.host.folder);
  return {
    host,
    list: () => fetchPatiently(() => host.listFiles(prefix, signal), backoffMs, signal),
    read: (name, bytes) => fetchPatiently(() => host.readFile(name, signal, bytes), backoffMs, signal),
  };
}

/**
 * After a start of ours or of Redis: it may have lost its last writes, without being empty, and deletions among them. What was
 * acknowledged and is lost comes back from the host; what was deleted must not.
 */
export async function repeatDeletions(session: SyncSession): Promise<void> {
  const { running, settings, host, log } = session;
  if (running.run.trigger !== 'startup' || !settings.sync.snapshots) return;
  const files = hostFiles(host, session);
  try {
    await loadDeletions(await files.list(), files, session);
  } catch (error) {
    // A host that will not give its files at all must not stand in the way of the sync.
    if (!isHoldfastError(error, 'HOST_REJECTED') || isTransientHostError(error)) throw error;
    log.warn('snapshot.unreadable', { error });
  }
}

/**
 * Deletes here, once more, what these files of a host say was deleted. Records that are there go, their assets too. False where not
 * all of them could be read: an older snapshot may then have records of deleted files.
 */
export async function loadDeletions(
  files: readonly HostFile[],
  { host, list, read }: HostFiles,
  work: LeasedWork,
): Promise<boolean> {
  const { redis, keys, settings, token, signal, log } = work;
  const { folder } = settings.host;
  const loading = snapshotLoading(redis, keys, token);
  let deletions = 0;
  const load = async (ids: readonly string[], { storedAt }: HostFile): Promise<void> => {
    const deletedMs = Date.parse(storedAt);
    for (let start = 0; start < ids.length; start += BATCH) {
      signal.throwIfAborted();
      await loading.loadTombstones(ids.slice(start, start + BATCH).map((id) => ({ id, deletedMs })));
    }
    deletions += ids.length;
  };

  const loaded = new Set<string>();
  const gone = new Set<string>();
  let isReadable = true;
  const loadFile = async ({ id, file, count }: DeletionFile): Promise<void> => {
    const { name } = file;
    const ids = id === null ? await idsIn(file, read, work) : [id];
    if (ids === null) return void gone.add(name);
    await load(ids, file);
    loaded.add(name);
    if (ids.length === count) return;
    // Not given, cut short, or something else in its place.
    isReadable = false;
    log.warn('snapshot.deletions_unread', { files: [name], noted: count, read: ids.length });
  };

  let listed = deletionFiles(folder, files);
  for (let left = LISTINGS; ; left -= 1) {
    gone.clear();
    await inParallel(
      listed.filter(({ file }) => !loaded.has(file.name)),
      LOOKS_AT_ONCE,
      loadFile,
    );
    if (gone.size === 0 || !isReadable || left === 1) break;
    // What is gone was joined. The file with its notes was there before it went.
    listed = deletionFiles(folder, await list());
  }
  // Of a host that the catalog is moved from, files are never joined.
  if (host.identity === work.host.identity) await listedDeletions(redis, keys).add([...loaded]);
  if (deletions > 0) log.info('snapshot.deletions_restored', { deletions });
  return isReadable && gone.size === 0;
}

/** Null where the host denies the file. What it does not give says nothing of the host as a whole: files may be refused where listings are not. */
async function idsIn(
  { name, bytes }: HostFile,
  read: HostFiles['read'],
  { signal, log }: LeasedWork,
): Promise<string[] | null> {
  try {
    const body = await read(name, bytes);
    return body === null ? null : decodeDeletions(body);
  } catch (error) {
    if (isAborted(signal)) throw abortReason(signal);
    if (isCircuitOpen(error)) throw error;
    log.warn('snapshot.deletions_unread', { files: [name], error });
    return [];
  }
}
