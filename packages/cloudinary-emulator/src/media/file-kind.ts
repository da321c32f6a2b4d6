/** What the first bytes say a file is; audio is `video` here as on Cloudinary. */
export interface FileKind {
  family: 'image' | 'video';
  format: string;
}

interface Signature extends FileKind {
  matches(head: Buffer): boolean;
}

const at = (offset: number, text: string) => (head: Buffer) =>
  head.length >= offset + text.length && head.toString('latin1', offset, offset + text.length) === text;
const bytes = (...values: number[]) => at(0, String.fromCharCode(...values));
const riff = (kind: string) => (head: Buffer) => at(0, 'RIFF')(head) && at(8, kind)(head);
const brand =
  (...brands: string[]) =>
  (head: Buffer) =>
    at(4, 'ftyp')(head) && brands.some((name) => at(8, name)(head));
const mpegAudio = (head: Buffer) => head[0] === 0xff && head.length > 1 && ((head[1] ?? 0) & 0xe6) === 0xe2;
const aacAudio = (head: Buffer) => head[0] === 0xff && head.length > 1 && ((head[1] ?? 0) & 0xf6) === 0xf0;
const webm = (head: Buffer) => bytes(0x1a, 0x45, 0xdf, 0xa3)(head) && head.subarray(0, 64).includes('webm');
const svg = (head: Buffer) =>
  /^\s*(<\?xml[^>]*>\s*)?(<!--[\s\S]*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg[\s>]/i.test(
    head.toString('utf8', 0, 1024),
  );

/** First match wins: narrower signatures stand before wider ones. */
const signatures: readonly Signature[] = [
  { family: 'image', format: 'png', matches: bytes(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a) },
  { family: 'image', format: 'jpg', matches: bytes(0xff, 0xd8, 0xff) },
  { family: 'image', format: 'gif', matches: at(0, 'GIF8') },
  { family: 'image', format: 'webp', matches: riff('WEBP') },
  { family: 'image', format: 'avif', matches: brand('avif', 'avis') },
  { family: 'image', format: 'heic', matches: brand('heic', 'heix', 'mif1', 'msf1', 'hevc') },
  { family: 'image', format: 'bmp', matches: at(0, 'BM') },
  {
    family: 'image',
    format: 'tif',
    matches: (head) => bytes(0x49, 0x49, 0x2a, 0)(head) || bytes(0x4d, 0x4d, 0, 0x2a)(head),
  },
  { family: 'image', format: 'ico', matches: bytes(0, 0, 1, 0) },
  { family: 'image', format: 'psd', matches: at(0, '8BPS') },
  { family: 'image', format: 'pdf', matches: at(0, '%PDF-') },
  { family: 'image', format: 'svg', matches: svg },
  { family: 'video', format: 'm4a', matches: brand('M4A', 'M4B') },
  { family: 'video', format: 'mov', matches: brand('qt  ') },
  { family: 'video', format: '3gp', matches: brand('3gp', '3g2') },
  { family: 'video', format: 'mp4', matches: at(4, 'ftyp') },
  { family: 'video', format: 'mov', matches: at(4, 'moov') },
  { family: 'video', format: 'webm', matches: webm },
  { family: 'video', format: 'mkv', matches: bytes(0x1a, 0x45, 0xdf, 0xa3) },
  { family: 'video', format: 'avi', matches: riff('AVI ') },
  { family: 'video', format: 'wav', matches: riff('WAVE') },
  { family: 'video', format: 'flv', matches: at(0, 'FLV') },
  { family: 'video', format: 'ogg', matches: at(0, 'OggS') },
  { family: 'video', format: 'flac', matches: at(0, 'fLaC') },
  { family: 'video', format: 'mpg', matches: bytes(0, 0, 1, 0xba) },
  { family: 'video', format: 'ts', matches: (head) => head[0] === 0x47 && head[188] === 0x47 },
  { family: 'video', format: 'mp3', matches: (head) => at(0, 'ID3')(head) || mpegAudio(head) },
  { family: 'video', format: 'aac', matches: aacAudio },
];

/** Decides by magic bytes; null for anything unknown. */
export function fileKind(head: Buffer): FileKind | null {
  const found = signatures.find((signature) => signature.matches(head));
  return found === undefined ? null : { family: found.family, format: found.format };
}
