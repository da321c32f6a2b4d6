import { access, chmod, constants, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type LocalHostSettings, makeDataFolder } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { abortReason, isAborted } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { guardHost, type HostCalls } from '../guarded-host.js';
import type { MediaHost } from '../media-host.js';
import { placeOfRef, readAssetAt } from './asset-files.js';
import { OWN_FOLDER, removeFile, staleFilesIn, syncFolder, toDiskError, unlessMissing } from './disk.js';
import { createLocalFiles, UNFINISHED } from './local-files.js';
import { createListing } from './local-listing.js';
import { createWrites, finishStaged, STAGING } from './local-writes.js';

/** What the local host needs; tests set other limits. */
export interface LocalHostOptions {
  log: Logger;
  /** Milliseconds since the epoch. */
  now?: () => number;
  /** A body that is silent for so long is given up; a minute unless given. */
  idleMs?: number;
  /** Below so many free bytes nothing more is stored; LOCAL_RESERVE_BYTES unless given. */
  reserveBytes?: number;
}

/** Free bytes below which the local host stores nothing more. */
export const LOCAL_RESERVE_BYTES = 200_000_000;
const IDLE_MS = 60_000;
/** Free inodes below which the disk counts as full. Each upload under way takes a few: files, descriptions, folders. */
const RESERVE_INODES = 1_000;

const CLEAR_EVERY_MS = 60_000;

/** Files in a folder that several processes may share. Clears, now and every minute, what dead ones left half-done. */
export async function createLocalHost(
  settings: LocalHostSettings,
  { log, now = Date.now, idleMs = IDLE_MS, reserveBytes = LOCAL_RESERVE_BYTES }: LocalHostOptions,
): Promise<MediaHost> {
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
  /** Only a folder that is there can say what it does not have: a disk that is not mounted has lost nothing. */
  const inRoot = <T>(work: () => Promise<T>): Promise<T> =>
    onDisk(async () => {
      await access(root);
      return work();
    });
  const clearStale = async (): Promise<void> => {
    for (const path of await staleFilesIn(join(root, STAGING))) {
      await finishStaged(root, path);
      if (await removeFile(path)) log.info('host.leftover_removed', { path });
    }
    for (const path of await staleFilesIn(join(filesDirectory, UNFINISHED))) await removeFile(path);
  };

  await onDisk(async () => {
    await makeRoot(root);
    await Promise.all([root, filesDirectory].map(closeFolder));
    await clearStale();
  });
  const clearing = setInterval(() => void clearStale().catch(() => undefined), CLEAR_EVERY_MS).unref();
  const writes = createWrites(root, { now, idleMs, refuseWhenFull });
  const listing = createListing(root, log);
  const files = createLocalFiles(filesDirectory, refuseWhenFull);
  const host: HostCalls = {
    kind: 'local',
    identity: 'local',
    put: (request) => onDisk(() => writes.put(request), request.signal),
    annotate: (ref, metadata) => inRoot(() => writes.annotate(ref, metadata)),
    find: (ref) => inRoot(() => readAssetAt(placeOfRef(root, ref))),
    remove: (ref) => inRoot(() => writes.remove(ref)),
    list: (request) => inRoot(() => listing.list(request)),
    changes: (request) => inRoot(() => listing.changes(request)),
    confirm: (assetIds) => inRoot(() => listing.confirm(assetIds)),
    putFile: (name, body) => onDisk(() => files.putFile(name, body)),
    readFile: (name) => onDisk(() => files.readFile(name)),
    listFiles: (prefix) => onDisk(() => files.listFiles(prefix)),
    removeFile: (name) => onDisk(() => files.removeFile(name)),
    budget: () => null,
    placesUploads: () => Promise.resolve(false),
    hostNow: now,
    meteredCalls: () => 0,
    freeBytes: () => onDisk(freeBytes),
    close: async () => clearInterval(clearing),
  };
  return guardHost(host, { log, now });
}

async function onDisk<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
    throw toDiskError(error);
  }
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
