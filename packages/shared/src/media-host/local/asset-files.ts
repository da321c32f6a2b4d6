import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { decodeTime } from 'ulid';
import { z } from 'zod';
import { HoldfastError } from '@holdfast/foundation/errors';
import { isOwnId, type ResourceType, resourceTypes } from '../../media/index.js';
import type { AssetRef, HostAsset } from '../media-host.js';
import { errnoOf, unlessMissing } from './disk.js';

/*
 * Three files make an asset, side by side:
 *   <asset id>.json          identity and first metadata, written once; the asset exists while this file does
 *   <asset id>.<token>       the bytes, written once; the token is new with each upload, so a file never changes
 *   <asset id>.<token>.meta  the metadata, once it was replaced
 */

const metadataSchema = z.object({ context: z.record(z.string(), z.string()), tags: z.array(z.string()) });

const identitySchema = z.object({
  token: z.string().regex(/^[0-9a-f]{16}$/),
  publicId: z.string(),
  resourceType: z.enum(resourceTypes),
  format: z.string().nullable(),
  bytes: z.number(),
  width: z.number().nullable(),
  height: z.number().nullable(),
  etag: z.string(),
  /** Of the bytes, so that a file written by others shows without reading it. */
  mtimeMs: z.number(),
  createdAt: z.string(),
  metadata: metadataSchema,
});

/** The content of `<asset id>.json`. */
export type Identity = z.infer<typeof identitySchema>;

/** Where the files of an asset are. */
export interface AssetPlace {
  resourceType: ResourceType;
  assetId: string;
  /** `<type>/<folder>/<folder>` below the media folder, absolute. */
  folder: string;
  identity: string;
}

/** In two folders: 3.1 days each, divided into 65 s each; without a time, spread by hash. */
export function placeOf(root: string, resourceType: ResourceType, assetId: string): AssetPlace {
  const at = assetId.startsWith(NO_TIME) ? NO_TIME.length : 5;
  const folder = join(root, resourceType, assetId.slice(0, 5), assetId.slice(at, at + 3));
  return { resourceType, assetId, folder, identity: join(folder, `${assetId}.json`) };
}

export function placeOfRef(root: string, ref: AssetRef): AssetPlace {
  return placeOf(root, ref.resourceType, assetIdOf(ref));
}

/** The paths of its bytes and of its replaced metadata. */
export function filesOf({ folder, assetId }: AssetPlace, token: string): [bytes: string, metadata: string] {
  const bytes = join(folder, `${assetId}.${token}`);
  return [bytes, `${bytes}.meta`];
}

/** Null when there is none. Throws ASSET_UNREADABLE for one that is damaged or may not be read. */
export const readIdentity = (path: string): Promise<Identity | null> => readDescription(path, identitySchema);

/** The whole asset, or null unless identity and bytes are there. Throws as `readIdentity` does. */
export async function readAssetAt(place: AssetPlace): Promise<HostAsset | null> {
  return (await readStored(place))?.asset ?? null;
}

/** The same, with the path of its bytes. Size and etag are of what the disk holds now, so that a damaged file shows. */
export async function readStored(place: AssetPlace): Promise<{ path: string; asset: HostAsset } | null> {
  const known = await readIdentity(place.identity);
  if (known === null) return null;
  const [path, metadataPath] = filesOf(place, known.token);
  const [measured, metadata] = await Promise.all([
    readable(path, () => unlessMissing(measure(path, known))),
    readDescription(metadataPath, metadataSchema),
  ]);
  if (measured === null) return null;
  const now = { ...known, ...measured, metadata: metadata ?? known.metadata };
  return { path, asset: toHostAsset(place, now) };
}

export function toHostAsset({ assetId }: AssetPlace, known: Identity): HostAsset {
  const { token: _token, mtimeMs: _mtimeMs, metadata, ...facts } = known;
  return {
    ...facts,
    ...metadata,
    assetId,
    durationSeconds: null,
    url: assetUrl(facts),
    version: Math.floor(Date.parse(facts.createdAt) / 1_000),
    uploadedAt: facts.createdAt,
  };
}

/** The system's errors about a single file, when the rest of the folder is fine. */
const UNREADABLE = new Set(['EACCES', 'EPERM', 'EIO', 'EISDIR', 'ELOOP']);

function readDescription<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  return readable(path, async () => {
    const text = await unlessMissing(readFile(path, 'utf8'));
    return text === null ? null : schema.parse(JSON.parse(text));
  });
}

async function readable<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const isDamaged = error instanceof SyntaxError || error instanceof z.ZodError;
    if (!isDamaged && !UNREADABLE.has(errnoOf(error))) throw error;
    const message = `${basename(path)} in the media folder cannot be read`;
    throw new HoldfastError('ASSET_UNREADABLE', message, { cause: error });
  }
}

/**
 * 32 hex digits, computed from how the asset is addressed: 12 of its time (the ULID that its last segment begins
 * with; all `f` without one), 20 of a hash. The files are named by it, so the order of names is the order of
 * creation, and neither public id nor asset id needs an index.
 */
function assetIdOf({ resourceType, publicId }: AssetRef): string {
  const ulid = publicId.slice(publicId.lastIndexOf('/') + 1).slice(0, 26);
  const time = isOwnId(ulid) ? decodeTime(ulid).toString(16).padStart(12, '0') : NO_TIME;
  const hash = createHash('sha256').update(`${resourceType}/${publicId}`).digest('hex');
  return time + hash.slice(0, 20);
}

const NO_TIME = 'f'.repeat(12);

export function isAssetId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}

/** Hashes of files that others wrote to (a backup that was restored), kept so that not every request reads them again. */
const rehashed = new Map<string, string>();
const MAX_KEPT = 1_000;

/** Size and MD5 of the bytes on disk. Their hash is taken only where size or time of writing are not those recorded. */
async function measure(path: string, recorded: Identity): Promise<{ bytes: number; etag: string }> {
  const { size: bytes, mtimeMs } = await stat(path);
  if (bytes === recorded.bytes && mtimeMs === recorded.mtimeMs) return { bytes, etag: recorded.etag };
  const key = `${path} ${String(bytes)} ${String(mtimeMs)}`;
  let etag = rehashed.get(key);
  if (etag === undefined) {
    const hash = createHash('md5');
    await pipeline(createReadStream(path), hash);
    etag = hash.digest('hex');
    if (rehashed.size >= MAX_KEPT) rehashed.clear();
    rehashed.set(key, etag);
  }
  return { bytes, etag };
}

/** `/media/image/holdfast/01K….png`; raw files have their extension in the public id. */
function assetUrl({ resourceType, publicId, format }: AssetRef & { format: string | null }): string {
  const path = publicId.split('/').map(encodeURIComponent).join('/');
  return `/media/${resourceType}/${path}${resourceType === 'raw' || format === null ? '' : `.${format}`}`;
}
