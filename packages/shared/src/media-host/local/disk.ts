import { chmod, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDataFolder } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';

const NO_SPACE = new Set(['ENOSPC', 'EDQUOT']);
const NO_DESCRIPTOR = new Set(['EMFILE', 'ENFILE']);

/** Errors of the file system as ours: STORAGE_FULL, else HOST_REJECTED. Ours pass unchanged. */
export function toDiskError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const errno = errnoOf(error);
  if (NO_SPACE.has(errno)) return new HoldfastError('STORAGE_FULL', undefined, { cause: error });
  // Nothing is wrong with the folder itself.
  const why = NO_DESCRIPTOR.has(errno)
    ? 'too many open files: raise the limit of the process (ulimit -n)'
    : 'the media folder cannot be used';
  return new HoldfastError('HOST_REJECTED', why, { cause: error });
}

/** `ENOENT` and the like, or '' for other errors. */
export function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** The result, or null when the file is not there. */
export async function unlessMissing<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return null;
    throw error;
  }
}

/** For the owner only: other users of the machine have no business with media, nor with what describes them. */
export const OWN_FILE = 0o600;
export const OWN_FOLDER = 0o700;

/** Makes a folder that was there before one for the owner only, and with it all below it. Where it is another's, it stays. */
export async function closeFolder(folder: string): Promise<void> {
  const found = await unlessMissing(stat(folder));
  if (found === null || (found.mode & 0o077) === 0) return;
  await chmod(folder, OWN_FOLDER).catch(() => undefined);
}

/** Makes names that were added to or removed from the folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A new file with this content, on disk when it resolves. Fails when the name is taken. */
export async function writeDurably(path: string, content: string | Buffer): Promise<void> {
  const handle = await open(path, 'wx', OWN_FILE);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The names in a folder, in order; none where it is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  return ((await unlessMissing(readdir(folder))) ?? []).toSorted();
}

const STALE_MS = 10 * 60_000;

/** Whether it was last written so long ago that a process which has not finished it counts as dead. */
export async function isStale(path: string): Promise<boolean> {
  const found = await unlessMissing(stat(path));
  return found !== null && Date.now() - found.mtimeMs > STALE_MS;
}

/** True when there was such a file. */
export async function removeFile(path: string): Promise<boolean> {
  return (await unlessMissing(unlink(path).then(() => true))) ?? false;
}

/** Folders remembered as durable; bounded, since there are always new ones. */
const MAX_REMEMBERED = 1_000;

/**
 * Makes folders at and below `root`, which then would survive a power cut. One that is there is made durable once in a process, since
 * another one may have made it a moment ago.
 */
export function createFolderMaker(root: string): (folder: string) => Promise<void> {
  const durable = new Set<string>();
  return async (folder) => {
    if (folder === root) await makeDataFolder(root, OWN_FOLDER).then(() => syncAbove(root));
    const made = await mkdir(folder, { recursive: true, mode: OWN_FOLDER });
    if (made === undefined && durable.has(folder)) return;
    for (let at = folder; at.length > root.length; at = dirname(at)) await syncFolder(dirname(at));
    if (durable.size >= MAX_REMEMBERED) durable.clear();
    durable.add(folder);
  };
}

/** The first start makes several folders at once. We made nothing in one that we may not open. */
async function syncAbove(folder: string): Promise<void> {
  const above = dirname(folder);
  if (above === folder) return;
  await syncFolder(above).catch(() => undefined);
  await syncAbove(above);
}
