import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Creates DATA_DIR or a folder in it, with missing parents. Rejects with the real reason: on a read-only disk Node's
 * recursive mkdir reports ENOENT for the folder that it failed to create (nodejs/node, MKDirpAsync).
 */
export async function makeDataFolder(folder: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await mkdir(await firstMissing(folder), { mode });
    throw error;
  }
}

async function firstMissing(folder: string): Promise<string> {
  const parent = dirname(folder);
  const isThere = await stat(parent).then(
    () => true,
    () => false,
  );
  return isThere || parent === folder ? folder : firstMissing(parent);
}
