import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '../../errors/index.js';
import { resourceTypes, type HostMetadata, type ResourceType } from '../../media/index.js';
import type { AssetRef, HostAsset } from '../media-host.js';
import { assetIdOf, foldersOf } from './asset-id.js';
import { currentEtag } from './current-etag.js';
import { errnoOf, unlessMissing } from './disk-errors.js';
import { assetUrl } from './asset-url.js';

/*
 * Three files make an asset, side by side:
 *   <asset id>.json          identity and first metadata, written once; the asset exists while this file does
 *   <asset id>.<token>       the bytes, written once; the token is new with each upload, so a file never changes
 *   <asset id>.<token>.meta  the metadata, once it was replaced
 */

const metadata = z.object({ context: z.record(z.string(), z.string()), tags: z.array(z.string()) });

/** The shape of `<asset id>.json`. */
export const identitySchema = z.object({
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
export async function readIdentity(place: AssetPlace): Promise<Identity | null> {
  const text = await readDescription(place, place.identity);
  return text === null ? null : parseFile(place, identitySchema, text);
}

/** The whole asset, or null unless identity and bytes are there. `edited: false` spares looking for replaced metadata. */
export async function readAssetAt(place: AssetPlace, edited = true): Promise<HostAsset | null> {
  const known = await readIdentity(place);
  if (known === null) return null;
  const [bytes, newer] = await Promise.all([
    unlessMissing(stat(bytesPath(place, known.token))),
    edited ? readDescription(place, metadataPath(place, known.token)) : null,
  ]);
  if (bytes === null) return null;
  return toHostAsset(place.assetId, known, {
    bytes: bytes.size,
    etag: await currentEtag(bytesPath(place, known.token), bytes, known),
    metadata: newer === null ? known.metadata : parseFile(place, metadata, newer),
  });
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

/** What the system says of one file that it does not give out, be the rest of the folder well. */
const UNREADABLE = new Set(['EACCES', 'EPERM', 'EIO', 'EISDIR', 'ELOOP']);

async function readDescription(place: AssetPlace, path: string): Promise<string | null> {
  try {
    return await unlessMissing(readFile(path, 'utf8'));
  } catch (error) {
    throw UNREADABLE.has(errnoOf(error)) ? unreadable(place, error) : error;
  }
}

function parseFile<T>(place: AssetPlace, schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw unreadable(place, error);
  }
}

function unreadable({ assetId }: AssetPlace, cause: unknown): HoldfastError {
  return new HoldfastError('ASSET_UNREADABLE', `a file that describes the asset ${assetId} cannot be read`, {
    cause,
  });
}
