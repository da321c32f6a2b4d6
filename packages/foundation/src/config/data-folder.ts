import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Creates DATA_DIR or a folder in it, with missing parents. Rejects with the real reason: on a read-only disk Node's recursive mkdir
 * reports ENOENT for the folder that it failed to create (nodejs/node, MKDirpAsync).
 */
export async function makeDataFolder(folder: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(folder) === folder) throw error;
    await makeDataFolder(dirname(folder), mode);
    await mkdir(folder, { mode });
  }
}
