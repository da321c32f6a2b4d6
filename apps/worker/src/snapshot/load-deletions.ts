import { abortReason, isAborted } from '@holdfast/shared/lifecycle';
import type { Logger } from '@holdfast/shared/logging';
import { isHostResting, type HostFile } from '@holdfast/shared/media-host';
import { isHoldfastError } from '@holdfast/shared/errors';
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
/** Listings until every file was read: meanwhile other processes may join some of them. */
const LISTINGS = 5;

export interface DeletionParts {
  redis: RedisClient;
  keys: RedisKeys;
  folder: string;
  /** Of the lease of syncs. */
  token: string;
  signal: AbortSignal;
  log: Logger;
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

  let unread: DeletionFile[] = deletionFiles(folder, files);
  const loaded = new Set<string>();
  let isReadable = true;
  const loadFile = async ({ file, id }: DeletionFile): Promise<void> => {
    const body = id === null ? await readOr(file, parts) : Buffer.from(id);
    if (body === 'unreadable') isReadable = false;
    if (body === null || body === 'unreadable') return;
    await load(decodeDeletions(body), file);
    loaded.add(file.name);
  };
  for (let listings = 1; ; listings += 1) {
    await inParallel(unread, LOOKS_AT_ONCE, loadFile);
    unread = unread.filter(({ file }) => !loaded.has(file.name));
    if (unread.length === 0 || !isReadable || listings >= LISTINGS) break;
    // What is gone was joined, and is noted in a file that was there before.
    unread = deletionFiles(folder, await list()).filter(({ file }) => !loaded.has(file.name));
  }
  await listedDeletions(redis, keys).add([...loaded]);
  if (deletions > 0) log.info('snapshot.deletions_restored', { deletions });
  if (unread.length > 0)
    log.warn('snapshot.deletions_unread', { files: unread.map(({ file }) => file.name) });
  return unread.length === 0;
}

async function readOr(
  { name, bytes }: HostFile,
  { read, signal, log }: DeletionParts,
): Promise<Buffer | null | 'unreadable'> {
  try {
    return await read(name, bytes);
  } catch (error) {
    if (isAborted(signal)) throw abortReason(signal);
    // Of the host as a whole: the listing would not be answered either.
    if (isHostResting(error) || isHoldfastError(error, 'HOST_RATE_LIMITED')) throw error;
    log.warn('snapshot.deletions_unread', { files: [name], error });
    return 'unreadable';
  }
}
