import { isHoldfastError } from '@holdfast/foundation/errors';
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

/**
 * After a start of ours or of Redis: it may have lost its last writes, without being empty, and deletions among them. What was
 * acknowledged and is lost comes back from the host; what was deleted must not.
 */
export async function repeatDeletions(session: SyncSession): Promise<void> {
  const { running, settings, host, log } = session;
  if (running.run.trigger !== 'startup' || !settings.sync.snapshots) return;
  try {
    await loadDeletions(host, session);
  } catch (error) {
    // A host that will not give its files at all must not stand in the way of the sync.
    if (!isHoldfastError(error, 'HOST_REJECTED') || isTransientHostError(error)) throw error;
    log.warn('snapshot.unreadable', { error });
  }
}

/** Listings at most: while files are read, processes that delete replace theirs. */
const LISTINGS = 3;

/**
 * Deletes here, once more, what this deployment's files on a host say was deleted. Records that are there go, their assets too. Answers
 * the files, as they were listed last, and whether all notes could be read: if not, an older snapshot may have records of deleted files.
 */
export async function loadDeletions(
  host: MediaHost,
  work: LeasedWork,
): Promise<{ files: HostFile[]; isComplete: boolean }> {
  const { redis, keys, settings, token, signal, log } = work;
  const { folder } = settings.host;
  const loaded = new Map<string, number>();
  const load = async ({ id, file, count }: DeletionFile): Promise<'loaded' | 'gone' | 'unread'> => {
    const ids = id === null ? await idsIn(host, file, work) : [id];
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

  for (let listings = 1; ; listings += 1) {
    const files = await fetchPatiently(() => host.listFiles(snapshotPrefix(folder), signal), work);
    const notes = deletionFiles(folder, files).filter(({ file }) => !loaded.has(file.name));
    const ends = await inParallel(notes, LOOKS_AT_ONCE, load);
    // The file that replaced it, with its notes, was there before it went.
    if (ends.includes('gone') && !ends.includes('unread') && listings < LISTINGS) continue;
    const deletions = [...loaded.values()].reduce((sum, count) => sum + count, 0);
    if (deletions > 0) log.info('snapshot.deletions_restored', { deletions });
    return { files, isComplete: ends.every((end) => end === 'loaded') };
  }
}

/** Null where the host denies the file. What it does not give says nothing of the host as a whole: files may be refused where listings are not. */
async function idsIn(host: MediaHost, file: HostFile, work: LeasedWork): Promise<string[] | null> {
  const { signal, log } = work;
  try {
    const body = await fetchPatiently(() => host.readFile(file.name, signal, file.bytes), work);
    return body === null ? null : decodeDeletions(body);
  } catch (error) {
    signal.throwIfAborted();
    if (isCircuitOpen(error)) throw error;
    log.warn('snapshot.deletions_unread', { files: [file.name], error });
    return [];
  }
}
