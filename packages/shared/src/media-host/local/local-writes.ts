import { createHash } from 'node:crypto';
import { link, open, rename, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { abortReason } from '@holdfast/foundation/lifecycle';
import type { HostMetadata } from '../../media/index.js';
import { type Body, bodyChunks, bytesInMemory, type ReadLimits } from '../body.js';
import type { AssetRef, HostAsset, PutRequest, PutResult } from '../media-host.js';
import {
  type AssetPlace,
  bytesPath,
  type Identity,
  metadataPath,
  placeOfRef,
  readAssetAt,
  readIdentity,
  readStored,
  toHostAsset,
} from './asset-files.js';
import {
  type createFolderMaker,
  errnoOf,
  namesIn,
  OWN_FILE,
  removeFile,
  syncFolder,
  unlessMissing,
  writeDurably,
} from './disk.js';
import { HEAD_BYTES, readFileFacts } from './file-format.js';
import type { Staging } from './staging.js';

/** A media folder, and what writing to it takes. */
interface MediaFolder {
  root: string;
  staging: Staging;
  folders: ReturnType<typeof createFolderMaker>;
  /** Throws STORAGE_FULL. */
  refuseWhenFull: (bytes: number) => Promise<void>;
  /** A body that is silent for so long is given up. */
  idleMs: number;
  now: () => number;
}

/**
 * Stores an asset so that at any moment a crash leaves either nothing or all of it: bytes and identity reach the disk
 * in staging, then the bytes get their name, then the identity. Linking the identity is the last step; it fails when the
 * name is taken, so nothing is ever overwritten.
 */
export async function putAsset(
  media: MediaFolder,
  { ref, metadata, body, contentLength, signal }: PutRequest,
): Promise<PutResult> {
  const { root, staging, refuseWhenFull, idleMs, now } = media;
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
    if (await putInPlace(media, place, token, stagedBytes))
      return { asset: toHostAsset(place.assetId, known, known), existed: false };
  } finally {
    await Promise.all([removeFile(stagedBytes), removeFile(stagedIdentity)]);
  }
  const winner = await readAssetAt(place);
  if (winner === null) throw new Error('the asset went away while it was uploaded again');
  return { asset: winner, existed: true };
}

interface StoredBody {
  bytes: number;
  /** Hex. */
  md5: string;
  /** When the file was last written, as the file system keeps it. */
  mtimeMs: number;
  /** The first bytes, at most `HEAD_BYTES`. */
  head: Buffer;
}

/** Writes the body to a new file and to the disk below it. Memory does not grow with the size. */
async function storeBody(path: string, body: Body, limits: ReadLimits): Promise<StoredBody> {
  const handle = await open(path, 'wx', OWN_FILE);
  try {
    const md5 = createHash('md5');
    const head: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of bodyChunks(body, limits)) {
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
    return { bytes, md5: md5.digest('hex'), mtimeMs, head: Buffer.concat(head) };
  } finally {
    await handle.close();
  }
}

/** Links both staged files to their names; false when another upload was quicker. */
async function putInPlace(
  { folders, now }: MediaFolder,
  place: AssetPlace,
  token: string,
  stagedBytes: string,
): Promise<boolean> {
  const bytes = bytesPath(place, token);
  await folders.ensure(place.folder);
  try {
    await link(stagedBytes, bytes);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    // The media folder was emptied while this process runs.
    folders.forget();
    await folders.ensure(place.folder);
    await link(stagedBytes, bytes);
  }
  try {
    await linkIdentity(place, `${stagedBytes}.json`);
  } catch (error) {
    await removeFile(bytes);
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
  await syncFolder(place.folder);
  await touch(dirname(place.folder), now());
  return true;
}

/** Shows `changes` where to look: it enters only folders that were touched. */
async function touch(path: string, now: number): Promise<void> {
  await utimes(path, now / 1_000, now / 1_000);
}

/** An identity whose bytes are gone (lost by the disk) gives way. */
async function linkIdentity(place: AssetPlace, staged: string): Promise<void> {
  try {
    await link(staged, place.identity);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST' || (await readAssetAt(place)) !== null) throw error;
    await removeFile(place.identity);
    await link(staged, place.identity);
  }
}

/** Replaces the metadata of an asset by one rename: a crash leaves the old or the new. */
export async function annotateAsset(
  { root, staging, now }: MediaFolder,
  ref: AssetRef,
  { context, tags }: HostMetadata,
): Promise<HostAsset> {
  const place = placeOfRef(root, ref);
  const known = await readIdentity(place);
  if (known === null) throw new HoldfastError('MEDIA_NOT_FOUND');
  const staged = join(await staging.folder(), `${staging.newToken()}.meta`);
  await writeDurably(staged, JSON.stringify({ context, tags }));
  const target = metadataPath(place, known.token);
  await rename(staged, target);
  // Checked after the rename: a removal in between must leave no metadata behind, and never be answered with success.
  const stored = await readStored(place);
  if (stored?.known.token !== known.token) {
    await removeFile(target);
    throw new HoldfastError('MEDIA_NOT_FOUND');
  }
  await syncFolder(place.folder);
  for (const path of [place.identity, dirname(place.folder)]) await unlessMissing(touch(path, now()));
  return stored.asset;
}

/** Moving the identity to staging is the removal; after a crash the rest is finished from there. */
export async function removeAsset(
  { root, staging }: MediaFolder,
  ref: AssetRef,
): Promise<'removed' | 'absent'> {
  const place = placeOfRef(root, ref);
  const known = await readIdentity(place).catch((error: unknown) => {
    if (isHoldfastError(error, 'ASSET_UNREADABLE')) return 'unreadable' as const;
    throw error;
  });
  if (known === null) return 'absent';
  if (known === 'unreadable') return removeUnreadable(place);
  const staged = join(await staging.folder(), `${known.token}.json`);
  const moved = await unlessMissing(rename(place.identity, staged).then(() => true));
  if (moved === null) return 'absent';
  await syncFolder(place.folder);
  for (const path of [bytesPath(place, known.token), metadataPath(place, known.token), staged])
    await removeFile(path);
  return 'removed';
}

/** The names of its files tell what belongs to an asset whose identity is damaged. The identity goes first, as always. */
async function removeUnreadable(place: AssetPlace): Promise<'removed'> {
  await removeFile(place.identity);
  await syncFolder(place.folder);
  for (const name of await namesIn(place.folder))
    if (name.startsWith(`${place.assetId}.`)) await removeFile(join(place.folder, name));
  return 'removed';
}
