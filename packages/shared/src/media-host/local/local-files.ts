import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, readdir, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { HostFile } from '../media-host.js';
import { OWN_FILE, OWN_FOLDER, removeFile, syncFolder, unlessMissing } from './disk.js';

/**
 * The folder of files that are not complete. No complete one has such a name: a plus is escaped there. Not a dot at its beginning:
 * version 0.1.0, which may run beside us, would unlink the folder as a stale file, and fail.
 */
const UNFINISHED = 'unfinished+';
/** A process that has not finished a file after this long has died. */
const STALE_MS = 10 * 60_000;

interface LocalFiles {
  put(name: string, body: Buffer): Promise<void>;
  read(name: string): Promise<Buffer | null>;
  list(prefix: string): Promise<HostFile[]>;
  remove(name: string): Promise<'removed' | 'absent'>;
}

/**
 * Files beside the media, in one flat folder that is made when it is first needed. A name is there only with all of its content. What a
 * file costs to put or remove does not grow with how many there are.
 */
export function createLocalFiles(
  directory: string,
  refuseWhenFull: (bytes: number) => Promise<void>,
): LocalFiles {
  const unfinishedFiles = join(directory, UNFINISHED);
  const pathOf = (name: string): string => join(directory, fileNameOf(name));

  return {
    put: async (name, body) => {
      const path = pathOf(name);
      if ((await unlessMissing(stat(path))) !== null) return;
      await refuseWhenFull(body.length);
      await mkdir(unfinishedFiles, { recursive: true, mode: OWN_FOLDER });
      await syncFolder(dirname(directory));
      await removeStale(unfinishedFiles);
      const unfinished = join(unfinishedFiles, randomBytes(8).toString('hex'));
      try {
        const handle = await open(unfinished, 'wx', OWN_FILE);
        try {
          await handle.writeFile(body);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(unfinished, path);
      } catch (error) {
        await removeFile(unfinished);
        throw error;
      }
      await syncFolder(directory);
    },
    read: (name) => unlessMissing(readFile(pathOf(name))),
    list: async (prefix) => {
      const files: HostFile[] = [];
      for (const entry of await names(directory)) {
        const name = nameOf(entry);
        if (name?.startsWith(prefix) !== true) continue;
        const found = await unlessMissing(stat(join(directory, entry)));
        if (found?.isFile() === true)
          files.push({ name, bytes: found.size, storedAt: found.mtime.toISOString() });
      }
      return files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    },
    remove: async (name) => ((await removeFile(pathOf(name))) ? 'removed' : 'absent'),
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

/** Reads one folder that has only what is being written now, and what processes that died have left. */
async function removeStale(unfinishedFiles: string): Promise<void> {
  for (const entry of await names(unfinishedFiles)) {
    const path = join(unfinishedFiles, entry);
    const found = await unlessMissing(stat(path));
    if (found !== null && Date.now() - found.mtimeMs > STALE_MS) await removeFile(path);
  }
}

async function names(directory: string): Promise<string[]> {
  return (await unlessMissing(readdir(directory))) ?? [];
}
