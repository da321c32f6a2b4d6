import { imageSize } from 'image-size';
import type { ResourceType } from '../../media/index.js';

/** Enough for the dimensions of an image behind its embedded metadata, in nearly all files. */
export const HEAD_BYTES = 256 * 1024;

interface FileFacts {
  format: string | null;
  width: number | null;
  height: number | null;
}

const ascii = (head: Buffer, from: number, to: number): string => head.toString('latin1', from, to);

const SVG_ROOT = /<svg[\s/>]/i;

interface Signature {
  format: string;
  matches: (head: Buffer) => boolean;
}

/** First bytes of images of which image-size knows no size, or whose size lies too far behind. First match wins. */
const images: readonly Signature[] = [
  { format: 'pdf', matches: (head) => ascii(head, 0, 5) === '%PDF-' },
  { format: 'png', matches: (head) => ascii(head, 0, 8) === '\x89PNG\r\n\x1a\n' },
  { format: 'gif', matches: (head) => ascii(head, 0, 4) === 'GIF8' },
  { format: 'webp', matches: (head) => ascii(head, 0, 4) === 'RIFF' && ascii(head, 8, 12) === 'WEBP' },
  { format: 'jpg', matches: (head) => ascii(head, 0, 3) === '\xff\xd8\xff' },
  { format: 'avif', matches: (head) => /^ftypavi[fs]/.test(ascii(head, 4, 12)) },
  { format: 'heic', matches: (head) => /^ftyphe[iv]/.test(ascii(head, 4, 12)) },
  { format: 'heif', matches: (head) => /^ftypm[is]f1/.test(ascii(head, 4, 12)) },
  { format: 'cr3', matches: (head) => ascii(head, 4, 11) === 'ftypcrx' },
  // One without width, height or viewBox.
  {
    format: 'svg',
    matches: (head) => /^\s*</.test(head.toString('utf8', 0, 64)) && SVG_ROOT.test(ascii(head, 0, 4_100)),
  },
];

/** What image-size calls by its brand, and everybody else by its extension. */
const extensions: Readonly<Record<string, string>> = {
  avis: 'avif',
  heix: 'heic',
  hevc: 'heic',
  hevx: 'heic',
  mif1: 'heif',
  msf1: 'heif',
};

/** First bytes of sound and film. First match wins. */
const others: readonly Signature[] = [
  { format: 'webm', matches: (head) => isMatroska(head) && ascii(head, 0, 64).includes('webm') },
  { format: 'mkv', matches: isMatroska },
  { format: 'mov', matches: (head) => ascii(head, 4, 10) === 'ftypqt' },
  { format: 'm4a', matches: (head) => ascii(head, 4, 11) === 'ftypM4A' },
  { format: 'mp4', matches: (head) => ascii(head, 4, 8) === 'ftyp' },
  { format: 'avi', matches: (head) => ascii(head, 0, 4) === 'RIFF' && ascii(head, 8, 12) === 'AVI ' },
  { format: 'wav', matches: (head) => ascii(head, 0, 4) === 'RIFF' && ascii(head, 8, 12) === 'WAVE' },
  { format: 'ogg', matches: (head) => ascii(head, 0, 4) === 'OggS' },
  { format: 'flac', matches: (head) => ascii(head, 0, 4) === 'fLaC' },
  { format: 'mp3', matches: (head) => ascii(head, 0, 3) === 'ID3' },
  { format: 'aac', matches: (head) => head[0] === 0xff && ((head[1] ?? 0) & 0xf6) === 0xf0 },
  { format: 'mp3', matches: (head) => head[0] === 0xff && ((head[1] ?? 0) & 0xe0) === 0xe0 },
];

/** What the first bytes tell. As on Cloudinary, raw files have no format: their public id carries the extension. */
export function readFileFacts(resourceType: ResourceType, head: Buffer): FileFacts {
  if (resourceType === 'raw') return { format: null, width: null, height: null };
  const size = resourceType === 'image' ? readImageSize(head) : null;
  if (size !== null) return size;
  const found = (resourceType === 'image' ? images : others).find(({ matches }) => matches(head));
  return { format: found?.format ?? null, width: null, height: null };
}

function readImageSize(head: Buffer): FileFacts | null {
  try {
    const { type, width, height } = imageSize(head);
    return { format: extensions[type ?? ''] ?? type ?? null, width, height };
  } catch {
    return null;
  }
}

function isMatroska(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32BE(0) === 0x1a45dfa3;
}
