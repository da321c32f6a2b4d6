import { randomBytes } from 'node:crypto';
import { decodeTime, ulid } from 'ulid';

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const FOUND_ON_HOST = /^cld-[0-9A-Za-z]{1,64}$/;

/** A fresh time-ordered id. */
export function newMediaId(now: number = Date.now()): string {
  const seed = randomBytes(16);
  let next = 0;
  return ulid(now, () => (seed[next++] ?? 0) / 256);
}

/** The moment, in milliseconds since the epoch, that one of our own ids carries. */
export function timeOfId(id: string): number {
  return decodeTime(id);
}

/** True for ids that Holdfast itself gave. */
export function isOwnId(id: string): boolean {
  return ULID.test(id);
}

/** True for any id that a record may have. */
export function isMediaId(id: string): boolean {
  return ULID.test(id) || FOUND_ON_HOST.test(id);
}

/** The id of an asset that others put on the host. */
export function idOfFoundAsset(assetId: string): string {
  return `cld-${assetId}`;
}

/** `holdfast/01K…`; raw files carry their extension, as Cloudinary wants it. */
export function publicIdFor(folder: string, id: string, extension = ''): string {
  return extension === '' ? `${folder}/${id}` : `${folder}/${id}.${extension}`;
}

/**
 * The id inside one of our own public ids, or null for a public id that others chose, such as that of a copy: only raw files
 * have an extension there.
 */
export function idFromPublicId(
  folder: string,
  { publicId, resourceType }: { publicId: string; resourceType: string },
): string | null {
  if (!publicId.startsWith(`${folder}/`)) return null;
  const name = publicId.slice(folder.length + 1);
  const [id = ''] = resourceType === 'raw' ? name.split('.', 1) : [name];
  return isOwnId(id) ? id : null;
}

/** What the public ids of the doctor's test files begin with. Syncs leave such assets alone. */
export function doctorPrefix(folder: string): string {
  return `${folder}/doctor-test-`;
}
