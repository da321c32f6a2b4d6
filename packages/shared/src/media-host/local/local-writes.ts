import { createHash, randomBytes } from 'node:crypto';
import { link, open, rename, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { imageSize } from 'image-size';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { type Body, bodyChunks, bytesInMemory } from '../body.js';
import type { AssetRef, HostAsset, MediaHost } from '../media-host.js';
import {
  type AssetPlace,
  filesOf,
  type Identity,
  placeOfRef,
  readAssetAt,
  readIdentity,
  readStored,
  toHostAsset,
} from './asset-files.js';
import {
  errnoOf,
  makeFolder,
  namesIn,
  NEW_ON_DISK,
  OWN_FILE,
  removeFile,
  replaceFile,
  syncFolder,
  unlessMissing,
} from './disk.js';

/** Where files rest until they are complete, inside the media folder so that a rename is enough. */
export const STAGING = '.staging';

/**
 * Changes to a media folder that several processes may share. A crash at any moment leaves each change done or not done.
 * `refuseWhenFull` throws STORAGE_FULL.
 */
export function createWrites(root: string, refuseWhenFull: (bytes: number) => Promise<void>) {
  const stage = async (name: string): Promise<string> => {
    await makeFolder(join(root, STAGING));
    return join(root, STAGING, name);
  };
  /** Shows `changes` where to look: it enters only folders that were touched, and reads only descriptions that were. */
  const touch = async (path: string): Promise<void> => {
    const now = new Date();
    await utimes(path, now, now);
  };

  return {
    /**
     * Bytes and identity reach the disk in staging, then the bytes get their name, then the identity. Linking the identity is the last step;
     * it fails when the name is taken, so nothing is ever overwritten.
     */
    put: async ({ ref, metadata, body, format, contentLength, signal }) => {
      const place = placeOfRef(root, ref);
      const before = await readAssetAt(place);
      if (before !== null) return { asset: before, existed: true };
      await refuseWhenFull(bytesInMemory(body) ?? contentLength ?? 0);
      const token = newToken();
      const staged = await stage(token);
      const stagedIdentity = `${staged}.json`;
      const [bytes] = filesOf(place, token);
      // In this order: where the process dies in between, the staged identity still names the bytes.
      const leftovers = new Set([bytes, stagedIdentity, staged]);
      try {
        const { head, ...stored } = await storeBody(staged, body, signal);
        const known: Identity = {
          token,
          ...ref,
          ...factsOf(ref, head, format),
          ...stored,
          createdAt: new Date().toISOString(),
          metadata: { context: { ...metadata.context }, tags: [...metadata.tags] },
        };
        await writeFile(stagedIdentity, JSON.stringify(known), NEW_ON_DISK);
        signal.throwIfAborted();
        await makeFolder(place.folder);
        await link(staged, bytes);
        const winner = await linkIdentity(place, stagedIdentity);
        if (winner !== null) return { asset: winner, existed: true };
        leftovers.delete(bytes);
        await syncFolder(place.folder);
        await touch(dirname(place.folder));
        return { asset: toHostAsset(place, known), existed: false };
      } finally {
        for (const path of leftovers) await removeFile(path);
      }
    },

    /** Replaces the metadata by one rename. */
    annotate: async (ref, { context, tags }) => {
      const place = placeOfRef(root, ref);
      const known = await readIdentity(place.identity);
      if (known === null) throw new HoldfastError('MEDIA_NOT_FOUND');
      const [bytes, target] = filesOf(place, known.token);
      await replaceFile(target, JSON.stringify({ context, tags }), await stage(`${newToken()}.meta`));
      // Checked after the rename: a removal in between must leave no metadata behind, and never be answered with success.
      const stored = await readStored(place);
      if (stored?.path !== bytes) {
        await removeFile(target);
        throw new HoldfastError('MEDIA_NOT_FOUND');
      }
      await syncFolder(place.folder);
      await unlessMissing(touch(place.identity));
      await touch(dirname(place.folder));
      return stored.asset;
    },

    /** Moving the identity to staging is the removal; after a crash the rest is finished from there. */
    remove: async (ref) => {
      const place = placeOfRef(root, ref);
      const files = await filesAt(place);
      if (files === null) return 'absent';
      const staged = await stage(`${newToken()}.json`);
      if ((await unlessMissing(rename(place.identity, staged).then(() => true))) === null) return 'absent';
      await syncFolder(place.folder);
      for (const path of [...files, staged]) await removeFile(path);
      return 'removed';
    },
  } satisfies Partial<MediaHost>;
}

function newToken(): string {
  return randomBytes(8).toString('hex');
}

/** Enough for the dimensions of an image behind its embedded metadata, in nearly all files. */
const HEAD_BYTES = 256 * 1024;

/** Writes the body to a new file and to the disk below it; gives its first bytes, too. Memory does not grow with the size. */
async function storeBody(path: string, body: Body, signal: AbortSignal) {
  const handle = await open(path, 'wx', OWN_FILE);
  try {
    const md5 = createHash('md5');
    const head: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of bodyChunks(body, signal)) {
      if (bytes < HEAD_BYTES) head.push(chunk.subarray(0, HEAD_BYTES - bytes));
      bytes += chunk.length;
      md5.update(chunk);
      // From the current position on, and all of it.
      await handle.writeFile(chunk);
    }
    // As Cloudinary does.
    if (bytes === 0) throw new HoldfastError('HOST_REJECTED', 'Empty file');
    await handle.sync();
    const { mtimeMs } = await handle.stat();
    return { bytes, etag: md5.digest('hex'), mtimeMs, head: Buffer.concat(head) };
  } finally {
    await handle.close();
  }
}

/** As on Cloudinary, raw files have no format: their public id carries the extension. Nor is it told how large every image is. */
function factsOf({ resourceType }: AssetRef, head: Buffer, format = '') {
  const told = { format: resourceType === 'raw' || format === '' ? null : format, width: null, height: null };
  if (resourceType !== 'image') return told;
  try {
    const { type, width, height } = imageSize(head);
    return { format: told.format ?? type ?? null, width, height };
  } catch {
    return told;
  }
}

/** The asset of another upload that was quicker, else null. An identity whose bytes are gone (lost by the disk) gives way. */
async function linkIdentity(place: AssetPlace, staged: string): Promise<HostAsset | null> {
  try {
    await link(staged, place.identity);
    return null;
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    const winner = await readAssetAt(place);
    if (winner !== null) return winner;
    await removeFile(place.identity);
    return linkIdentity(place, staged);
  }
}

/** The files of an asset besides its identity; null where there is none. Their names tell what belongs to one that is damaged. */
async function filesAt(place: AssetPlace): Promise<string[] | null> {
  try {
    const known = await readIdentity(place.identity);
    return known === null ? null : filesOf(place, known.token);
  } catch (error) {
    if (!isHoldfastError(error, 'ASSET_UNREADABLE')) throw error;
    const names = await namesIn(place.folder);
    return names
      .filter((name) => name.startsWith(`${place.assetId}.`))
      .map((name) => join(place.folder, name));
  }
}

/**
 * A staged identity that a dead process left names an upload whose identity was not linked, or a removal whose bytes were not deleted:
 * its files go. Bytes that a linked identity names are never touched.
 */
export async function finishStaged(root: string, path: string): Promise<void> {
  // Other files, and an identity that was cut off, have no bytes with a name yet.
  const known = path.endsWith('.json') ? await readIdentity(path).catch(() => null) : null;
  if (known === null) return;
  const place = placeOfRef(root, known);
  if ((await readIdentity(place.identity))?.token === known.token) return;
  for (const file of filesOf(place, known.token)) await removeFile(file);
}
