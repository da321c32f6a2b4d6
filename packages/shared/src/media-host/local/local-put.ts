import { link } from 'node:fs/promises';
import { join } from 'node:path';
import { abortReason } from '../../lifecycle/index.js';
import type { PutRequest, PutResult } from '../media-host.js';
import { bytesInMemory } from '../body.js';
import {
  bytesPath,
  placeOfRef,
  readAssetAt,
  toHostAsset,
  type AssetPlace,
  type Identity,
} from './asset-files.js';
import { errnoOf } from './disk-errors.js';
import { removeFile, syncFolder, writeDurably, type FolderMaker } from './durable-files.js';
import { readFileFacts } from './file-format.js';
import type { Staging } from './staging.js';
import { storeBody } from './store-body.js';

export interface LocalPutParts {
  root: string;
  staging: Staging;
  folders: FolderMaker;
  refuseWhenFull: (bytes: number) => Promise<void>;
  /** Marks the folder as changed, for `changes`. */
  touched: (place: AssetPlace) => Promise<void>;
  idleMs: number;
  now: () => number;
}

/**
 * Stores an asset so that at any moment a crash leaves either nothing or all of it: bytes and identity reach the disk
 * in staging, then the bytes get their name, then the identity. Linking the identity is the last step; it fails when the
 * name is taken, so nothing is ever overwritten.
 */
export function createLocalPut(parts: LocalPutParts): (request: PutRequest) => Promise<PutResult> {
  const { root, staging, folders, refuseWhenFull, touched, idleMs, now } = parts;

  const putInPlace = async (
    place: AssetPlace,
    known: Identity,
    stagedBytes: string,
    stagedIdentity: string,
  ) => {
    const bytes = bytesPath(place, known.token);
    await folders.ensure(place.folder);
    try {
      await link(stagedBytes, bytes);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
      // Somebody emptied the media folder under us.
      folders.forget();
      await folders.ensure(place.folder);
      await link(stagedBytes, bytes);
    }
    try {
      await linkIdentity(place, stagedIdentity);
    } catch (error) {
      await removeFile(bytes);
      if (errnoOf(error) === 'EEXIST') return false;
      throw error;
    }
    await syncFolder(place.folder);
    await touched(place);
    return true;
  };

  return async ({ ref, metadata, body, contentLength, signal }) => {
    if (signal.aborted) throw abortReason(signal);
    const place = placeOfRef(root, ref);
    const before = await readAssetAt(place);
    if (before !== null) return { asset: before, existed: true };
    await refuseWhenFull(bytesInMemory(body) ?? contentLength ?? 0);
    const token = staging.newToken();
    const stagedBytes = join(await staging.folder(), token);
    const stagedIdentity = `${stagedBytes}.json`;
    try {
      const { bytes, md5, mtimeMs, head } = await storeBody(stagedBytes, body, { signal, idleMs });
      const known: Identity = {
        token,
        ...ref,
        ...readFileFacts(ref.resourceType, head),
        bytes,
        etag: md5,
        mtimeMs,
        createdAt: new Date(now()).toISOString(),
        metadata: { context: { ...metadata.context }, tags: [...metadata.tags] },
      };
      await writeDurably(stagedIdentity, JSON.stringify(known));
      if (signal.aborted) throw abortReason(signal);
      if (await putInPlace(place, known, stagedBytes, stagedIdentity))
        return { asset: toHostAsset(place.assetId, known, known), existed: false };
    } finally {
      await Promise.all([removeFile(stagedBytes), removeFile(stagedIdentity)]);
    }
    const winner = await readAssetAt(place);
    if (winner === null) throw new Error('the asset went away while it was uploaded again');
    return { asset: winner, existed: true };
  };
}

/** An identity whose bytes are gone (lost by the disk) gives way. */
async function linkIdentity(place: AssetPlace, staged: string): Promise<void> {
  try {
    await link(staged, place.identity);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST' || (await readAssetAt(place, false)) !== null) throw error;
    await removeFile(place.identity);
    await link(staged, place.identity);
  }
}
