import { abortReason, isAborted } from '@holdfast/shared/lifecycle';
import type { Logger } from '@holdfast/shared/logging';
import { isCircuitOpen, type HostFile } from '@holdfast/shared/media-host';
import type { RedisClient, RedisKeys } from '@holdfast/shared/redis';
import {
  decodeDeletions,
  deletionFiles,
  listedDeletions,
  snapshotLoading,
  type DeletionFile,
} from '@holdfast/shared/snapshot';
import { inParallel, LOOKS_AT_ONCE } from '../host-calls/in-parallel.js';

const BATCH = 500;
/** Listings at most: while they are read, other processes may join files. */
const LISTINGS = 10;

export interface DeletionParts {
  redis: RedisClient;
  keys: RedisKeys;
  folder: string;
  /** Of the lease of syncs. */
  token: string;
  signal: AbortSignal;
  log: Logger;
  /** They are on the host that this catalog is moved from: joining is not done there. */
  isEarlierHost?: boolean;
  /** The deployment's files. Metered. */
  list: () => Promise<HostFile[]>;
  /** A file of the host of about this size; null where there is none. */
  read: (name: string, bytes: number) => Promise<Buffer | null>;
}

/**
 * Deletes here, once more, what these files of the host say was deleted. Records that are there go, their assets too. False where not
 * all of them could be read: an older snapshot may then have records of deleted media.
 */
export async function loadDeletions(files: readonly HostFile[], parts: DeletionParts): Promise<boolean> {
  const { redis, keys, folder, token, signal, log, list } = parts;
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

  const seen = new Set<string>();
  const denied = new Set<string>();
  const loaded: string[] = [];
  let isGone = false;
  let isReadable = true;
  const loadFile = async ({ file, count }: DeletionFile): Promise<void> => {
    const body = await readOr(file, parts);
    if (body === null) {
      // Listed again after it was denied, it was not joined.
      if (denied.has(file.name)) isReadable = false;
      denied.add(file.name);
      isGone = true;
      return;
    }
    seen.add(file.name);
    if (body === 'unreadable') isReadable = false;
    else {
      const ids = decodeDeletions(body);
      await load(ids, file);
      loaded.push(file.name);
      // Cut short, or something else in its place.
      if (ids.length === count) return;
      isReadable = false;
      log.warn('snapshot.deletions_unread', { files: [file.name], noted: count, read: ids.length });
    }
  };

  let listed = deletionFiles(folder, files);
  const singles = listed.filter(({ id }) => id !== null);
  for (let start = 0; start < singles.length; start += BATCH)
    await loading.loadTombstones(
      singles
        .slice(start, start + BATCH)
        .map(({ id, file }) => ({ id: id ?? '', deletedMs: Date.parse(file.storedAt) })),
    );
  deletions += singles.length;
  for (let listings = 1; ; listings += 1) {
    isGone = false;
    const unread = listed.filter(({ id, file }) => id === null && !seen.has(file.name));
    await inParallel(unread, LOOKS_AT_ONCE, loadFile);
    if (!isGone || !isReadable || listings >= LISTINGS) break;
    // What is gone was joined. The file with its notes was there before it went.
    listed = deletionFiles(folder, await list());
  }
  if (parts.isEarlierHost !== true) await listedDeletions(redis, keys).add(loaded);
  if (deletions > 0) log.info('snapshot.deletions_restored', { deletions });
  return isReadable && !isGone;
}

async function readOr(
  { name, bytes }: HostFile,
  { read, signal, log }: DeletionParts,
): Promise<Buffer | null | 'unreadable'> {
  try {
    return await read(name, bytes);
  } catch (error) {
    if (isAborted(signal)) throw abortReason(signal);
    // Of the host as a whole: the listing would not be answered either. Files may be limited where listings are not.
    if (isCircuitOpen(error)) throw error;
    log.warn('snapshot.deletions_unread', { files: [name], error });
    return 'unreadable';
  }
}
