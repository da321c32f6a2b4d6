import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, chmod, constants, readFile, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import querystring from 'node:querystring';
import { type LocalHostSettings, makeDataFolder } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { guardHost, type GuardOptions, type HostCalls } from '../guarded-host.js';
import type { HostFile, MediaHost } from '../media-host.js';
import { placeOfRef, readAssetAt, readStored } from './asset-files.js';
import {
  makeFolder,
  namesIn,
  OWN_FOLDER,
  removeFile,
  replaceFile,
  staleFilesIn,
  syncFolder,
  toDiskError,
  unlessMissing,
} from './disk.js';
import { createListing } from './local-listing.js';
import { createWrites, finishStaged, STAGING } from './local-writes.js';

/** Free bytes below which the local host stores nothing more. */
export const LOCAL_RESERVE_BYTES = 200_000_000;
/** Free inodes below which the disk counts as full. Each upload under way takes a few: files, descriptions, folders. */
const RESERVE_INODES = 1_000;

const CLEAR_EVERY_MS = 60_000;

/** Files in a folder that several processes may share. Clears, now and every minute, what dead ones left half-done. */
export async function createLocalHost(
  settings: LocalHostSettings,
  /** Tests set another reserve. */
  { reserveBytes = LOCAL_RESERVE_BYTES, ...options }: GuardOptions & { reserveBytes?: number },
): Promise<MediaHost> {
  const { log } = options;
  const { directory: root, filesDirectory } = settings;
  const freeBytes = async (): Promise<number> => {
    // A read-only disk has free space that cannot be used.
    await access(root, constants.W_OK);
    const { files, ffree, bavail, bsize } = await statfs(root);
    // Bytes that no new file can use are not free. File systems that do not count inodes say that they have none in all.
    return files > 0 && ffree < RESERVE_INODES ? 0 : bavail * bsize;
  };
  const refuseWhenFull = async (bytes: number): Promise<void> => {
    const free = await freeBytes();
    if (free < reserveBytes || free < bytes) throw new HoldfastError('STORAGE_FULL');
  };
  const clearStale = async (): Promise<void> => {
    for (const path of await staleFilesIn(join(root, STAGING))) {
      await finishStaged(root, path);
      if (await removeFile(path)) log.info('host.leftover_removed', { path });
    }
    for (const path of await staleFilesIn(join(filesDirectory, UNFINISHED))) await removeFile(path);
  };

  /** Only a folder that is there can say what it does not have: a disk that is not mounted has lost nothing. */
  const onDisk =
    <A extends unknown[], T>(work: (...args: A) => Promise<T>) =>
    (...args: A): Promise<T> =>
      access(root)
        .then(() => work(...args))
        .catch(failOnDisk);

  await makeRoot(root)
    .then(() => Promise.all([root, filesDirectory].map(closeFolder)))
    .then(clearStale)
    .catch(failOnDisk);
  const clearing = setInterval(() => void clearStale().catch(() => undefined), CLEAR_EVERY_MS).unref();
  const writes = createWrites(root, refuseWhenFull);
  const listing = createListing(root, log);
  const files = createFiles(filesDirectory, refuseWhenFull);
  const host: HostCalls = {
    kind: 'local',
    identity: 'local',
    put: onDisk(writes.put),
    annotate: onDisk(writes.annotate),
    find: onDisk((ref) => readAssetAt(placeOfRef(root, ref))),
    open: onDisk(async (asset, signal) => {
      const stored = await readStored(placeOfRef(root, asset));
      if (stored === null)
        throw new HoldfastError('MEDIA_NOT_FOUND', 'the local host has no bytes of this file');
      return createReadStream(stored.path, { signal });
    }),
    remove: onDisk(writes.remove),
    list: onDisk(listing.list),
    changes: onDisk(listing.changes),
    confirm: onDisk(listing.confirm),
    putFile: onDisk(files.putFile),
    readFile: onDisk(files.readFile),
    listFiles: onDisk(files.listFiles),
    removeFile: onDisk(files.removeFile),
    budget: () => null,
    signUpload: () => Promise.reject(new HoldfastError('NOT_SUPPORTED')),
    hostNow: () => Date.now(),
    meteredCalls: () => 0,
    freeBytes: onDisk(freeBytes),
    close: async () => clearInterval(clearing),
  };
  return guardHost(host, options);
}

function failOnDisk(error: unknown): never {
  throw toDiskError(error);
}

/** The first start creates several folders at once. A folder that we may not open has nothing of ours. */
async function makeRoot(root: string): Promise<void> {
  await makeDataFolder(root, OWN_FOLDER);
  for (let at = dirname(root); at !== dirname(at); at = dirname(at))
    await syncFolder(at).catch(() => undefined);
}

/** Makes a folder that was there before one for the owner only, and with it all below it. Where it is another's, it stays. */
async function closeFolder(folder: string): Promise<void> {
  const found = await unlessMissing(stat(folder));
  if (found === null || (found.mode & 0o077) === 0) return;
  await chmod(folder, OWN_FOLDER).catch(() => undefined);
}

/**
 * The folder of files that are not complete. No complete one has such a name: a plus is escaped there. Not a dot at its beginning:
 * version 0.1.0, which may run beside us, would unlink the folder as a stale file, and fail.
 */
const UNFINISHED = 'unfinished+';

/**
 * Files beside the media, in one flat folder that is made when it is first needed. A name is there only with all of its content. What a
 * file costs to put or remove does not grow with how many there are.
 */
function createFiles(directory: string, refuseWhenFull: (bytes: number) => Promise<void>) {
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
        const name = querystring.unescape(entry);
        // Others may put files there, with names of any kind.
        if (!name.startsWith(prefix) || fileNameOf(name) !== entry) continue;
        const found = await unlessMissing(stat(join(directory, entry)));
        if (found?.isFile() === true)
          files.push({ name, bytes: found.size, storedAt: found.mtime.toISOString() });
      }
      return files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    },
    removeFile: async (name) => ((await removeFile(pathOf(name))) ? 'removed' : 'absent'),
  } satisfies Partial<MediaHost>;
}

function fileNameOf(name: string): string {
  return encodeURIComponent(name).replaceAll('.', '%2E');
}
