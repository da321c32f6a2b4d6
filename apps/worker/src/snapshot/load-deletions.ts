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
  loadLines,
  snapshotPrefix,
  type DeletionFile,
} from '@holdfast/shared/snapshot';
import { fetchPatiently, inParallel, LOOKS_AT_ONCE } from '../sync-run/host-calls.js';
import type { LeasedWork, SyncSession } from '../sync-run/sync-session.js';

/** The files that this deployment keeps on a host. */
export interface HostFiles {
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

/** Listings at most: while files are read, processes that delete replace theirs. */
const LISTINGS = 3;

/**
 * Deletes here, once more, what these files of a host say was deleted. Records that are there go, their assets too. False where not
 * all of them could be read: an older snapshot may then have records of deleted files.
 */
export async function loadDeletions(
  files: readonly HostFile[],
  { list, read }: HostFiles,
  work: LeasedWork,
): Promise<boolean> {
  const { redis, keys, settings, token, signal, log } = work;
  const loaded = new Map<string, number>();
  const load = async ({ id, file, count }: DeletionFile): Promise<'loaded' | 'gone' | 'unread'> => {
    const ids = id === null ? await idsIn(file, read, work) : [id];
    if (ids === null) return 'gone';
    const deletedMs = Date.parse(file.storedAt);
    const lines = ids.map((one) => ({ kind: 'tombstone' as const, id: one, deletedMs }));
    await loadLines(redis, keys, token, lines);
    loaded.set(file.name, ids.length);
    if (ids.length === count) return 'loaded';
    // Not given, cut short, or something else in its place.
    log.warn('snapshot.deletions_unread', { files: [file.name], noted: count, read: ids.length });
    return 'unread';
  };

  let listed = files;
  let ends = new Set<string>();
  for (let left = LISTINGS; left > 0; left -= 1) {
    const notes = deletionFiles(settings.host.folder, listed).filter(({ file }) => !loaded.has(file.name));
    ends = new Set(await inParallel(notes, LOOKS_AT_ONCE, load));
    if (ends.has('unread') || !ends.has('gone')) break;
    // The file that replaced it, with its notes, was there before it went.
    signal.throwIfAborted();
    listed = await list();
  }
  const deletions = [...loaded.values()].reduce((sum, count) => sum + count, 0);
  if (deletions > 0) log.info('snapshot.deletions_restored', { deletions });
  return !ends.has('unread') && !ends.has('gone');
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
