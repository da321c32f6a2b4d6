import { HoldfastError } from '@holdfast/shared/errors';

/**
 * Runs the work, and names the folder where the system refuses something in it: of a write to an open file, as on a full
 * disk, its errors name nothing. Throws REDIS_START_FAILED for those, and what the work throws of its own.
 */
export async function inDataFolder<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new HoldfastError('REDIS_START_FAILED', `The folder ${directory} cannot be used`, { cause: error });
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
