import { mkdir, open, readdir, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
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

/** Makes names that were added to or removed from the folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a folder, and those above it that are missing, which then would survive a power cut. */
export async function makeFolder(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: OWN_FOLDER });
  if (made === undefined) return;
  for (let at = folder; at.length >= made.length; at = dirname(at)) await syncFolder(dirname(at));
}

/** For `writeFile`: a new file, on disk when it resolves. Fails when the name is taken. */
export const NEW_ON_DISK = { flag: 'wx', mode: OWN_FILE, flush: true } as const;

/** Gives `path` this content as a whole, by way of the file `staged`. The folder of `path` is not synced. */
export async function replaceFile(path: string, content: string | Buffer, staged: string): Promise<void> {
  try {
    await writeFile(staged, content, NEW_ON_DISK);
    await rename(staged, path);
  } catch (error) {
    await removeFile(staged);
    throw error;
  }
}

/** The names in a folder, in order; none where it is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  return ((await unlessMissing(readdir(folder))) ?? []).toSorted();
}

/** True when there was such a file. */
export async function removeFile(path: string): Promise<boolean> {
  return (await unlessMissing(unlink(path).then(() => true))) ?? false;
}

/** A file that nothing was written to for so long belongs to a process that died: in a living one no body is silent for over a minute. */
const STALE_MS = 3 * 60_000;

/** The files in a folder of unfinished files that dead processes left, also in folders within it, as version 0.1.0 made them. */
export async function staleFilesIn(folder: string): Promise<string[]> {
  const entries = (await unlessMissing(readdir(folder, { recursive: true, withFileTypes: true }))) ?? [];
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `${parentPath}/${name}`);
  const ages = await Promise.all(
    paths.map(async (path) => Date.now() - ((await unlessMissing(stat(path)))?.mtimeMs ?? Date.now())),
  );
  return paths.filter((_path, index) => (ages[index] ?? 0) > STALE_MS);
}
