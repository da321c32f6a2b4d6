import { randomFillSync } from 'node:crypto';
import { decodeTime, ulid } from 'ulid';

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const FOUND_ON_HOST = /^cld-[0-9A-Za-z]{1,64}$/;

/** Random bytes in stock: the library asks for each of its 16 characters, and each question to the system costs as much as many. */
const stock = Buffer.alloc(4_096);
let used = stock.length;

/** From 0 up to but not including 1, in steps of 1/256: a character of an id needs five bits. */
function random(): number {
  if (used === stock.length) {
    randomFillSync(stock);
    used = 0;
  }
  const byte = stock[used] ?? 0;
  used += 1;
  return byte / 256;
}

/** A fresh time-ordered id. */
export function newMediaId(now: number = Date.now()): string {
  return ulid(now, random);
}

/** The id of that moment whose random part is decided by the first 16 bytes of `seed`. */
export function mediaIdFrom(now: number, seed: Uint8Array): string {
  let next = 0;
  return ulid(now, () => {
    const byte = seed[next] ?? 0;
    next += 1;
    return byte / 256;
  });
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

/** What the public ids of the doctor's test files begin with: `holdfast/doctor/01K…-image`. */
export function doctorPrefix(folder: string): string {
  return `${folder}/doctor/`;
}

/** The run of the doctor that an asset belongs to by its name, else null. Syncs leave such assets alone. */
export function doctorRunOf(folder: string, publicId: string): string | null {
  const prefix = doctorPrefix(folder);
  if (!publicId.startsWith(prefix)) return null;
  const [id = '', what] = publicId.slice(prefix.length).split('-', 2);
  return what !== undefined && isOwnId(id) ? id : null;
}
