import { chmod, open, stat, unlink } from 'node:fs/promises';
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
  const code: unknown =
    typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
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

/**
 * Makes the folder itself, and those that it lies in, survive a power cut: the first start makes several at once, and
 * another process may have made them a moment ago. What is above a mount was there before.
 */
async function syncAbove(folder: string): Promise<void> {
  const above = dirname(folder);
  const [here, there] = await Promise.all([stat(folder), stat(above)]);
  if (above === folder || here.dev !== there.dev) return;
  try {
    await syncFolder(above);
  } catch (error) {
    // Nor did we make anything there.
    if (errnoOf(error) !== 'EACCES' && errnoOf(error) !== 'EPERM') throw error;
  }
  await syncAbove(above);
}

/** A new file with this text, on disk when it resolves. Fails when the name is taken. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', OWN_FILE);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** True when there was such a file. */
export async function removeFile(path: string): Promise<boolean> {
  return (await unlessMissing(unlink(path).then(() => true))) ?? false;
}

/** Folders remembered as durable; bounded, since there are always new ones. */
const MAX_REMEMBERED = 1_000;

export interface FolderMaker {
  /** Resolves when the folder exists and would survive a power cut. */
  ensure: (folder: string) => Promise<void>;
  /** Looks at every folder again. */
  forget: () => void;
}

/**
 * Makes folders at and below `root`, once per folder and process: one that another process made a moment ago may not
 * be on disk yet.
 */
export function createFolderMaker(root: string): FolderMaker {
  const known = new Map<string, Promise<void>>();
  const make = async (folder: string): Promise<void> => {
    if (folder.length > root.length) await ensure(dirname(folder));
    await makeDataFolder(folder, OWN_FOLDER);
    await syncFolder(dirname(folder));
    if (folder === root) await syncAbove(dirname(root));
  };
  const ensure = (folder: string): Promise<void> => {
    const before = known.get(folder);
    if (before !== undefined) return before;
    if (known.size >= MAX_REMEMBERED) known.clear();
    const made = make(folder);
    known.set(folder, made);
    made.catch(() => known.delete(folder));
    return made;
  };
  return { ensure, forget: () => known.clear() };
}
