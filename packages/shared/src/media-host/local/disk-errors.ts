import { HoldfastError } from '../../errors/index.js';

const NO_SPACE = new Set(['ENOSPC', 'EDQUOT']);
const NO_DESCRIPTOR = new Set(['EMFILE', 'ENFILE']);

/** Errors of the file system as ours: STORAGE_FULL, else HOST_REJECTED. Ours pass unchanged. */
export function toDiskError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const errno = errnoOf(error);
  if (NO_SPACE.has(errno)) return new HoldfastError('STORAGE_FULL', undefined, { cause: error });
  // Nothing is wrong with the folder: whoever looks there would look in vain.
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
