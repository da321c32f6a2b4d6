import { createHash, randomBytes } from 'node:crypto';
import { link, mkdir, open, rename, rmdir, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { abortReason } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
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
  createFolderMaker,
  errnoOf,
  isStale,
  namesIn,
  OWN_FILE,
  OWN_FOLDER,
  removeFile,
  syncFolder,
  unlessMissing,
  writeDurably,
} from './disk.js';
import { HEAD_BYTES, readFileFacts } from './file-format.js';

/** Where files rest until they are complete, inside the media folder so that a rename is enough: a folder for each process. */
export const STAGING = '.staging';
const MACHINE = hostname().replaceAll('.', '-');
/** Several hosts may run in one process, in tests. */
const ownFolders = new Set<string>();

export interface WriteOptions {
  log: Logger;
  now: () => number;
  /** A body that is silent for so long is given up. */
  idleMs: number;
  /** Throws STORAGE_FULL. */
  refuseWhenFull: (bytes: number) => Promise<void>;
}

/** Changes to a media folder that several processes may share. A crash at any moment leaves each change done or not done. */
export class LocalWrites {
  readonly #root: string;
  readonly #options: WriteOptions;
  readonly #staging: string;
  readonly #makeFolder: (folder: string) => Promise<void>;

  constructor(root: string, options: WriteOptions) {
    this.#root = root;
    this.#options = options;
    this.#staging = join(
      root,
      STAGING,
      `${MACHINE}.${String(process.pid)}.${randomBytes(4).toString('hex')}`,
    );
    this.#makeFolder = createFolderMaker(root);
    ownFolders.add(this.#staging);
  }

  /** Makes the folder, and finishes what dead processes left half-done. */
  async open(): Promise<void> {
    await this.#makeFolder(this.#root);
    await clearLeftovers(this.#root, this.#options.log);
  }

  async close(): Promise<void> {
    await rmdir(this.#staging).catch(() => undefined);
  }

  /**
   * Bytes and identity reach the disk in staging, then the bytes get their name, then the identity. Linking the identity is the last step;
   * it fails when the name is taken, so nothing is ever overwritten.
   */
  async put({ ref, metadata, body, contentLength, signal }: PutRequest): Promise<PutResult> {
    const { refuseWhenFull, idleMs, now } = this.#options;
    const place = placeOfRef(this.#root, ref);
    const before = await readAssetAt(place);
    if (before !== null) return { asset: before, existed: true };
    await refuseWhenFull(bytesInMemory(body) ?? contentLength ?? 0);
    const token = randomBytes(8).toString('hex');
    const stagedBytes = await this.#stage(token);
    const stagedIdentity = `${stagedBytes}.json`;
    try {
      const { head, ...stored } = await storeBody(stagedBytes, body, { signal, idleMs });
      const known: Identity = {
        token,
        ...ref,
        ...readFileFacts(ref.resourceType, head),
        ...stored,
        createdAt: new Date(now()).toISOString(),
        metadata: { context: { ...metadata.context }, tags: [...metadata.tags] },
      };
      await writeDurably(stagedIdentity, JSON.stringify(known));
      if (signal.aborted) throw abortReason(signal);
      if (await this.#putInPlace(place, token, stagedBytes))
        return { asset: toHostAsset(place.assetId, known, known), existed: false };
    } finally {
      await Promise.all([removeFile(stagedBytes), removeFile(stagedIdentity)]);
    }
    const winner = await readAssetAt(place);
    if (winner === null) throw new Error('the asset went away while it was uploaded again');
    return { asset: winner, existed: true };
  }

  /** Replaces the metadata by one rename. */
  async annotate(ref: AssetRef, { context, tags }: HostMetadata): Promise<HostAsset> {
    const place = placeOfRef(this.#root, ref);
    const known = await readIdentity(place);
    if (known === null) throw new HoldfastError('MEDIA_NOT_FOUND');
    const staged = await this.#stage(`${randomBytes(8).toString('hex')}.meta`);
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
    await unlessMissing(this.#touch(place.identity));
    await this.#touch(dirname(place.folder));
    return stored.asset;
  }

  /** Moving the identity to staging is the removal; after a crash the rest is finished from there. */
  async remove(ref: AssetRef): Promise<'removed' | 'absent'> {
    const place = placeOfRef(this.#root, ref);
    const known = await readIdentity(place).catch((error: unknown) => {
      if (isHoldfastError(error, 'ASSET_UNREADABLE')) return 'unreadable' as const;
      throw error;
    });
    if (known === null) return 'absent';
    if (known === 'unreadable') return removeUnreadable(place);
    const staged = await this.#stage(`${known.token}.json`);
    const moved = await unlessMissing(rename(place.identity, staged).then(() => true));
    if (moved === null) return 'absent';
    await syncFolder(place.folder);
    await removeFilesOf(place, known.token);
    await removeFile(staged);
    return 'removed';
  }

  async #stage(name: string): Promise<string> {
    await mkdir(this.#staging, { recursive: true, mode: OWN_FOLDER });
    return join(this.#staging, name);
  }

  /** Links both staged files to their names; false when another upload was quicker. */
  async #putInPlace(place: AssetPlace, token: string, stagedBytes: string): Promise<boolean> {
    const bytes = bytesPath(place, token);
    await this.#makeFolder(place.folder);
    await link(stagedBytes, bytes);
    try {
      await linkIdentity(place, `${stagedBytes}.json`);
    } catch (error) {
      await removeFile(bytes);
      if (errnoOf(error) === 'EEXIST') return false;
      throw error;
    }
    await syncFolder(place.folder);
    await this.#touch(dirname(place.folder));
    return true;
  }

  /** Shows `changes` where to look: it enters only folders that were touched, and reads only descriptions that were. */
  async #touch(path: string): Promise<void> {
    const time = this.#options.now() / 1_000;
    await utimes(path, time, time);
  }
}

interface StoredBody extends Pick<Identity, 'bytes' | 'etag' | 'mtimeMs'> {
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
    return { bytes, etag: md5.digest('hex'), mtimeMs, head: Buffer.concat(head) };
  } finally {
    await handle.close();
  }
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

async function removeFilesOf(place: AssetPlace, token: string): Promise<void> {
  await removeFile(bytesPath(place, token));
  await removeFile(metadataPath(place, token));
}

/** The names of its files tell what belongs to an asset whose identity is damaged. The identity goes first, as always. */
async function removeUnreadable(place: AssetPlace): Promise<'removed'> {
  await removeFile(place.identity);
  await syncFolder(place.folder);
  for (const name of await namesIn(place.folder))
    if (name.startsWith(`${place.assetId}.`)) await removeFile(join(place.folder, name));
  return 'removed';
}

/**
 * Removes what dead processes left in staging, and finishes by it what they had begun. What a process that we cannot see (another machine
 * or container) has there counts as left behind once it is stale.
 */
async function clearLeftovers(root: string, log: Logger): Promise<void> {
  for (const name of await namesIn(join(root, STAGING))) {
    const folder = join(root, STAGING, name);
    if (ownFolders.has(folder)) continue;
    const dead = isDeadHere(name);
    let removed = 0;
    for (const file of await namesIn(folder)) {
      const path = join(folder, file);
      if (!dead && !(await isStale(path))) continue;
      if (file.endsWith('.json')) await finishLeft(root, path);
      if (await removeFile(path)) removed += 1;
    }
    if (removed > 0) log.info('host.leftovers_removed', { files: removed });
    if (dead || (await isStale(folder))) await rmdir(folder).catch(() => undefined);
  }
}

/** True when the name tells of a process of this machine that no longer runs. */
function isDeadHere(name: string): boolean {
  const [machine, pid = ''] = name.split('.');
  if (machine !== MACHINE) return false;
  // The folder is not one of ours, so one with our pid is of an earlier life.
  if (Number(pid) === process.pid) return true;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return errnoOf(error) === 'ESRCH';
  }
}

/**
 * A staged identity names an upload whose identity was not linked, or a removal whose bytes were not deleted. Bytes that a linked
 * identity names are never touched.
 */
async function finishLeft(root: string, staged: string): Promise<void> {
  // One that was cut off has no bytes with a name yet.
  const known = await readIdentity({ identity: staged }).catch(() => null);
  if (known === null) return;
  const place = placeOfRef(root, known);
  if ((await readIdentity(place))?.token !== known.token) await removeFilesOf(place, known.token);
}
