import { fileTypeFromBuffer } from 'file-type';
import { HoldfastError } from '@holdfast/foundation/errors';
import { resourceTypeOf, type ResourceType } from '@holdfast/shared/media';

/** What a file is, detected from its first bytes alone. */
export interface FileKind {
  /** Media type such as `image/png`; `application/octet-stream` where nothing is detected. */
  mime: string;
  /** Without a dot; empty where none fits. */
  extension: string;
  resourceType: ResourceType;
}

/** Bytes that detection looks at. */
export const SNIFF_BYTES = 4_100;

interface Kind {
  mime: string;
  ext: string;
}

const UNKNOWN: Kind = { mime: 'application/octet-stream', ext: '' };
const SVG_KIND: Kind = { mime: 'image/svg+xml', ext: 'svg' };

/**
 * Signatures for files that begin as one kind and are broken further on, where the library finds nothing: whether such a
 * file is any good is for the host to say. Those with `unless` are what most uploads are, and certain where these bytes,
 * which make another kind of them, are not there.
 */
const signatures: readonly (Kind & { at: number; bytes: string; unless?: Buffer })[] = [
  { at: 0, bytes: '\x89PNG\r\n\x1a\n', mime: 'image/png', ext: 'png', unless: Buffer.from('acTL') },
  { at: 0, bytes: '\xff\xd8\xff', mime: 'image/jpeg', ext: 'jpg', unless: Buffer.from('ffd8fff7', 'hex') },
  { at: 0, bytes: 'GIF8', mime: 'image/gif', ext: 'gif' },
  // The library looks into its directory, which most programs write after the pixels.
  { at: 0, bytes: 'II*\0', mime: 'image/tiff', ext: 'tif' },
  { at: 0, bytes: 'MM\0*', mime: 'image/tiff', ext: 'tif' },
  { at: 8, bytes: 'WEBP', mime: 'image/webp', ext: 'webp' },
  { at: 4, bytes: 'ftyp', mime: 'video/mp4', ext: 'mp4' },
  { at: 0, bytes: '\x1aE\xdf\xa3', mime: 'video/webm', ext: 'webm' },
  { at: 0, bytes: 'OggS', mime: 'audio/ogg', ext: 'ogg' },
  { at: 0, bytes: 'ID3', mime: 'audio/mpeg', ext: 'mp3' },
  { at: 8, bytes: 'WAVE', mime: 'audio/wav', ext: 'wav' },
  { at: 0, bytes: '%PDF-', mime: 'application/pdf', ext: 'pdf' },
];

/**
 * SVG has no magic bytes: an optional declaration, comments and doctype (editors put entities into it), then its root
 * element. No text matches in more than one way, else a small hostile file would keep the process busy for ever.
 */
const SVG =
  /^\uFEFF?\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->)[^])*-->\s*|<!DOCTYPE svg[^>[]*(?:\[[^\]]*\]\s*)?>\s*)*<svg[\s/>]/i;
/** Matches too easily: any text in UTF-16 begins like MPEG layer I, which is not in use. */
const DOUBTFUL = new Set(['xml', 'mp1']);

export async function fileKindOf(head: Buffer): Promise<FileKind> {
  const first = head.subarray(0, SNIFF_BYTES);
  const { mime, ext } = commonKind(first) ?? (await kindByLibrary(first)) ?? kindByHand(first);
  const [type = UNKNOWN.mime] = mime.split(';');
  return { mime: type, extension: ext, resourceType: resourceTypeOf(type) };
}

/** UNSUPPORTED_TYPE for a file of this type, with the types that are accepted. */
export function unsupportedType(mime: string, allowed: readonly string[]): HoldfastError {
  const found = mime === UNKNOWN.mime ? 'no media type was detected from its first bytes' : `it is ${mime}`;
  return new HoldfastError(
    'UNSUPPORTED_TYPE',
    `the file is not accepted: ${found}; accepted types are ${allowed.join(', ')}`,
  );
}

/**
 * PNG and JPEG, detected as the library would, which tries up to a hundred other kinds first: that was a sixth of all garbage
 * of an upload.
 */
function commonKind(head: Buffer): Kind | undefined {
  return signatures.find(
    (signature) =>
      signature.unless !== undefined && begins(head, signature) && !head.includes(signature.unless),
  );
}

async function kindByLibrary(head: Buffer): Promise<Kind | undefined> {
  const found = await fileTypeFromBuffer(head).catch(() => undefined);
  return found === undefined || DOUBTFUL.has(found.ext) ? undefined : found;
}

function kindByHand(head: Buffer): Kind {
  if (SVG.test(head.toString('utf8'))) return SVG_KIND;
  return signatures.find((signature) => begins(head, signature)) ?? UNKNOWN;
}

function begins(head: Buffer, { at, bytes }: (typeof signatures)[number]): boolean {
  return head.toString('latin1', at, at + bytes.length) === bytes;
}
