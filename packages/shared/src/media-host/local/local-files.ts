import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostFile, MediaHost } from '../media-host.js';
import { makeFolder, namesIn, removeFile, replaceFile, syncFolder, unlessMissing } from './disk.js';

/**
 * The folder of files that are not complete. No complete one has such a name: a plus is escaped there. Not a dot at its beginning:
 * version 0.1.0, which may run beside us, would unlink the folder as a stale file, and fail.
 */
export const UNFINISHED = 'unfinished+';

/**
 * Files beside the media, in one flat folder that is made when it is first needed. A name is there only with all of its content. What a
 * file costs to put or remove does not grow with how many there are.
 */
export function createLocalFiles(
  directory: string,
  refuseWhenFull: (bytes: number) => Promise<void>,
): Pick<MediaHost, 'putFile' | 'readFile' | 'listFiles' | 'removeFile'> {
  const pathOf = (name: string): string => join(directory, fileNameOf(name));
  return {
    putFile: async (name, body) => {
      const path = pathOf(name);
      if ((await unlessMissing(stat(path))) !== null) return;
      await refuseWhenFull(body.length);
      await makeFolder(join(directory, UNFINISHED));
      await replaceFile(path, body, join(directory, UNFINISHED, randomBytes(8).toString('hex')));
      await syncFolder(directory);
    },
    readFile: (name) => unlessMissing(readFile(pathOf(name))),
    listFiles: async (prefix) => {
      const files: HostFile[] = [];
      for (const entry of await namesIn(directory)) {
        const name = nameOf(entry);
        if (name?.startsWith(prefix) !== true) continue;
        const found = await unlessMissing(stat(join(directory, entry)));
        if (found?.isFile() === true)
          files.push({ name, bytes: found.size, storedAt: found.mtime.toISOString() });
      }
      return files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    },
    removeFile: async (name) => ((await removeFile(pathOf(name))) ? 'removed' : 'absent'),
  };
}

function fileNameOf(name: string): string {
  return encodeURIComponent(name).replaceAll('.', '%2E');
}

/** Null for files that others put there. */
function nameOf(entry: string): string | null {
  try {
    const name = decodeURIComponent(entry);
    return fileNameOf(name) === entry ? name : null;
  } catch {
    return null;
  }
}
