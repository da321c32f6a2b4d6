import { fileTypeFromBuffer } from 'file-type';
import { resourceTypeOf, type ResourceType } from '@holdfast/shared/media';

/** What a file is, told by its first bytes alone. */
export interface FileKind {
  /** Media type such as `image/png`; `application/octet-stream` for bytes that say nothing. */
  mime: string;
  /** Without a dot; empty where none fits. */
  extension: string;
  resourceType: ResourceType;
}

/** So many first bytes decide. */
export const SNIFF_BYTES = 4_100;

const UNKNOWN = { mime: 'application/octet-stream', ext: '' };

/**
 * Signatures for files that begin as one kind and are broken further on, where the library finds nothing: whether such a
 * file is any good is for the host to say.
 */
const signatures: readonly { at: number; bytes: string; mime: string; ext: string }[] = [
  { at: 0, bytes: '\x89PNG\r\n\x1a\n', mime: 'image/png', ext: 'png' },
  { at: 0, bytes: '\xff\xd8\xff', mime: 'image/jpeg', ext: 'jpg' },
  { at: 0, bytes: 'GIF8', mime: 'image/gif', ext: 'gif' },
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
/** Found too easily: any text in UTF-16 begins like MPEG layer I, which nobody uses. */
const DOUBTFUL = new Set(['xml', 'mp1']);

export async function fileKindOf(head: Buffer): Promise<FileKind> {
  const found = await fileTypeFromBuffer(head.subarray(0, SNIFF_BYTES)).catch(() => undefined);
  const { mime, ext } = found === undefined || DOUBTFUL.has(found.ext) ? kindByHand(head) : found;
  const [type = UNKNOWN.mime] = mime.split(';');
  return { mime: type, extension: ext, resourceType: resourceTypeOf(type) };
}

function kindByHand(head: Buffer): { mime: string; ext: string } {
  if (SVG.test(head.toString('utf8', 0, SNIFF_BYTES))) return { mime: 'image/svg+xml', ext: 'svg' };
  return (
    signatures.find(({ at, bytes }) => head.toString('latin1', at, at + bytes.length) === bytes) ?? UNKNOWN
  );
}
