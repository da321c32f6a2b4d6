import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { decodeTime } from 'ulid';
import { z } from 'zod';
import { HoldfastError } from '@holdfast/foundation/errors';
import { type HostMetadata, isOwnId, type ResourceType, resourceTypes } from '../../media/index.js';
import type { AssetRef, HostAsset } from '../media-host.js';
import { errnoOf, unlessMissing } from './disk.js';

/*
 * Three files make an asset, side by side:
 *   <asset id>.json          identity and first metadata, written once; the asset exists while this file does
 *   <asset id>.<token>       the bytes, written once; the token is new with each upload, so a file never changes
 *   <asset id>.<token>.meta  the metadata, once it was replaced
 */

const metadata = z.object({ context: z.record(z.string(), z.string()), tags: z.array(z.string()) });

/** The shape of `<asset id>.json`. */
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
  metadata,
});

/** The content of `<asset id>.json`. */
export type Identity = z.infer<typeof identitySchema>;

/** Where the files of an asset are. */
export interface AssetPlace {
  assetId: string;
  /** `<type>/<folder>/<folder>` below the media folder, absolute. */
  folder: string;
  identity: string;
}

export function placeOf(root: string, resourceType: ResourceType, assetId: string): AssetPlace {
  const folder = join(root, resourceType, ...foldersOf(assetId));
  return { assetId, folder, identity: join(folder, `${assetId}.json`) };
}

export function placeOfRef(root: string, ref: AssetRef): AssetPlace {
  return placeOf(root, ref.resourceType, assetIdOf(ref));
}

export function bytesPath(place: AssetPlace, token: string): string {
  return join(place.folder, `${place.assetId}.${token}`);
}

export function metadataPath(place: AssetPlace, token: string): string {
  return join(place.folder, `${place.assetId}.${token}.meta`);
}

/** Null when there is none. Throws ASSET_UNREADABLE for one that is damaged or may not be read. */
export async function readIdentity({ identity }: Pick<AssetPlace, 'identity'>): Promise<Identity | null> {
  return readDescription(identity, identitySchema);
}

/** The whole asset, or null unless identity and bytes are there. Throws as `readIdentity` does. */
export async function readAssetAt(place: AssetPlace): Promise<HostAsset | null> {
  return (await readStored(place))?.asset ?? null;
}

/** The same, with the identity behind it. */
export async function readStored(place: AssetPlace): Promise<{ known: Identity; asset: HostAsset } | null> {
  const known = await readIdentity(place);
  if (known === null) return null;
  const path = bytesPath(place, known.token);
  const [stored, newer] = await Promise.all([
    readable(path, () => unlessMissing(measure(path, known))),
    readDescription(metadataPath(place, known.token), metadata),
  ]);
  if (stored === null) return null;
  const measured = { ...stored, metadata: newer ?? known.metadata };
  return { known, asset: toHostAsset(place.assetId, known, measured) };
}

/** `bytes` and `etag` are of what the disk holds now, so that a damaged file shows. */
export function toHostAsset(
  assetId: string,
  known: Identity,
  measured: { bytes: number; etag: string; metadata: HostMetadata },
): HostAsset {
  return {
    publicId: known.publicId,
    resourceType: known.resourceType,
    assetId,
    format: known.format,
    bytes: measured.bytes,
    width: known.width,
    height: known.height,
    durationSeconds: null,
    url: assetUrl(known),
    etag: measured.etag,
    version: Math.floor(Date.parse(known.createdAt) / 1_000),
    createdAt: known.createdAt,
    uploadedAt: known.createdAt,
    context: measured.metadata.context,
    tags: measured.metadata.tags,
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

/** The two folders of an asset: 3.1 days each, divided into 65 s each; without a time, spread by hash. */
export function foldersOf(assetId: string): [string, string] {
  return assetId.startsWith(NO_TIME)
    ? [NO_TIME.slice(0, 5), assetId.slice(12, 15)]
    : [assetId.slice(0, 5), assetId.slice(5, 8)];
}

/** Hashes of files that others wrote to (a backup that was restored), kept so that not every request reads them again. */
const rehashed = new Map<string, string>();
const MAX_KEPT = 1_000;

/** Size and MD5 of the bytes on disk. Their hash is taken only where size or time of writing are not those recorded. */
async function measure(path: string, recorded: Identity): Promise<{ bytes: number; etag: string }> {
  const { size: bytes, mtimeMs } = await stat(path);
  if (bytes === recorded.bytes && mtimeMs === recorded.mtimeMs) return { bytes, etag: recorded.etag };
  const key = `${path} ${String(bytes)} ${String(mtimeMs)}`;
  const before = rehashed.get(key);
  if (before !== undefined) return { bytes, etag: before };
  const hash = createHash('md5');
  await pipeline(createReadStream(path), hash);
  const etag = hash.digest('hex');
  if (rehashed.size >= MAX_KEPT) rehashed.clear();
  rehashed.set(key, etag);
  return { bytes, etag };
}

const PREFIX = '/media/';

/** `/media/image/holdfast/01K….png`; raw files have their extension in the public id. */
function assetUrl({ resourceType, publicId, format }: AssetRef & { format: string | null }): string {
  const path = publicId.split('/').map(encodeURIComponent).join('/');
  return `${PREFIX}${resourceType}/${path}${resourceType === 'raw' || format === null ? '' : `.${format}`}`;
}

/** The assets that a path may name: with a format cut off its end, and without. Empty for any other path. */
export function refsFromUrl(urlPath: string): { ref: AssetRef; format: string | null }[] {
  if (!urlPath.startsWith(PREFIX)) return [];
  const [type = '', ...segments] = urlPath.slice(PREFIX.length).split('/');
  const resourceType = resourceTypes.find((known) => known === type);
  const publicId = decode(segments.join('/'));
  if (resourceType === undefined || publicId === null || publicId === '') return [];
  const whole = { ref: { resourceType, publicId }, format: null };
  const dot = publicId.lastIndexOf('.');
  if (resourceType === 'raw' || dot <= publicId.lastIndexOf('/') + 1) return [whole];
  const cut = { ref: { resourceType, publicId: publicId.slice(0, dot) }, format: publicId.slice(dot + 1) };
  return [cut, whole];
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
