import { access, constants, rmdir, statfs, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LocalHostSettings } from '@holdfast/foundation/config';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import { resourceTypes } from '../../media/index.js';
import { abortReason, isAborted } from '@holdfast/foundation/lifecycle';
import { isStream } from '../body.js';
import { createHostOutcomes } from '../failures.js';
import type { HostAsset, MediaHost, UnreadableAsset } from '../media-host.js';
import { type AssetPlace, isAssetId, placeOf, placeOfRef, readAssetAt } from './asset-files.js';
import { closeFolder, createFolderMaker, toDiskError } from './disk.js';
import { annotateAsset, putAsset, removeAsset, type MediaFolder } from './local-writes.js';
import { createLocalFiles } from './local-files.js';
import { createListing } from './local-listing.js';
import { clearLeftovers, createStaging } from './staging.js';

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

/** Files in a folder that several processes may share. Clears what dead ones left half-done. */
export async function createLocalHost(
  settings: LocalHostSettings,
  options: LocalHostOptions,
): Promise<MediaHost> {
  const root = settings.directory;
  const now = options.now ?? Date.now;
  const outcomes = createHostOutcomes(now, options.log);
  const staging = createStaging(root);
  const folders = createFolderMaker(root);
  const listing = createListing(root, options.log);
  try {
    await folders.ensure(root);
    await Promise.all([root, settings.filesDirectory].map(closeFolder));
    await clearLeftovers(root, options.log);
  } catch (error) {
    throw toDiskError(error);
  }

  const observed = async <T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> => {
    if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
    try {
      const result = await work();
      outcomes.answered();
      return result;
    } catch (thrown) {
      if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
      const error = toDiskError(thrown);
      // Ours without a cause in the file system say nothing about the disk.
      if (error !== thrown) outcomes.failed(error);
      throw error;
    }
  };

  /** Only a folder that is there can say what it does not have: a disk that is not mounted has lost nothing. */
  const observedOnDisk = <T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> =>
    observed(signal, async () => {
      await access(root);
      return work();
    });

  const freeBytes = async (): Promise<number> => {
    // A disk that may only be read has room, and none for us.
    await access(root, constants.W_OK);
    const { files, ffree, bavail, bsize } = await statfs(root);
    // Bytes that no new file can have are no room. File systems that do not count inodes say that they have none in all.
    return files > 0 && ffree < RESERVE_INODES ? 0 : bavail * bsize;
  };

  const refuseWhenFull = async (bytes: number): Promise<void> => {
    const free = await freeBytes();
    if (free < (options.reserveBytes ?? LOCAL_RESERVE_BYTES) || free < bytes)
      throw new HoldfastError('STORAGE_FULL');
  };

  /** `changes` enters only outer folders that were touched. */
  const touched = async (place: AssetPlace): Promise<void> => {
    const time = now() / 1_000;
    await utimes(dirname(place.folder), time, time);
  };

  const media: MediaFolder = {
    root,
    staging,
    folders,
    refuseWhenFull,
    touched,
    idleMs: options.idleMs ?? IDLE_MS,
    now,
  };
  const files = createLocalFiles(settings.filesDirectory, refuseWhenFull);

  const findById = async (assetId: string): Promise<HostAsset | null> => {
    if (!isAssetId(assetId)) return null;
    for (const type of resourceTypes) {
      const asset = await readAssetAt(placeOf(root, type, assetId));
      if (asset !== null) return asset;
    }
    return null;
  };

  return {
    kind: 'local',
    identity: 'local',
    put: async (request) => {
      try {
        return await observed(request.signal, () => putAsset(media, request));
      } finally {
        if (isStream(request.body)) request.body.destroy();
      }
    },
    annotate: (ref, metadata, signal) => observed(signal, () => annotateAsset(media, ref, metadata)),
    find: (ref, signal) => observedOnDisk(signal, () => readAssetAt(placeOfRef(root, ref))),
    remove: (ref, signal) => observedOnDisk(signal, () => removeAsset(media, ref)),
    list: (request) => observedOnDisk(request.signal, () => listing.list(request)),
    changes: (request) => observedOnDisk(request.signal, () => listing.changes(request)),
    confirm: (assetIds, signal) =>
      observedOnDisk(signal, async () => {
        const unreadable: UnreadableAsset[] = [];
        const look = async (assetId: string): Promise<HostAsset | null> => {
          try {
            return await findById(assetId);
          } catch (error) {
            if (!isHoldfastError(error, 'ASSET_UNREADABLE')) throw error;
            unreadable.push({ assetId, publicId: null });
            return null;
          }
        };
        const found = await Promise.all(assetIds.map(look));
        return { assets: found.filter((asset) => asset !== null), unreadable, lacking: [] };
      }),
    putFile: (name, body, signal) => observed(signal, () => files.put(name, body)),
    readFile: (name, signal) => observed(signal, () => files.read(name)),
    listFiles: (prefix, signal) => observed(signal, () => files.list(prefix)),
    removeFile: (name, signal) => observed(signal, () => files.remove(name)),
    budget: () => null,
    health: outcomes.health,
    uploadRefusal: () => null,
    admitUpload: () => undefined,
    placesUploads: () => Promise.resolve(false),
    hostNow: now,
    meteredCalls: () => 0,
    freeBytes: () => observed(undefined, freeBytes),
    close: async () => {
      await rmdir(await staging.folder()).catch(() => undefined);
    },
  };
}
