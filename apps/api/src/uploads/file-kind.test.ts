import { fileTypeFromBuffer } from 'file-type';
import { expect, it } from 'vitest';
import { fileKindOf } from './file-kind.js';

it.each([
  ['a PNG', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), 'image/png', 'image'],
  ['a JPEG', Buffer.from('ffd8ffe000104a464946', 'hex'), 'image/jpeg', 'image'],
  [
    'an MP4',
    Buffer.concat([Buffer.from('00000018', 'hex'), Buffer.from('ftypmp42'), Buffer.alloc(16)]),
    'video/mp4',
    'video',
  ],
  ['an MP3', Buffer.from('494433040000000000000000', 'hex'), 'audio/mpeg', 'video'],
  ['a PDF', Buffer.from('%PDF-1.7\n'), 'application/pdf', 'image'],
  ['a TIFF whose directory comes last', Buffer.from('49492a00a0860100', 'hex'), 'image/tiff', 'image'],
  ['one with the high bytes first', Buffer.from('4d4d002a000186a0', 'hex'), 'image/tiff', 'image'],
  [
    'an SVG with a declaration',
    Buffer.from('<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'),
    'image/svg+xml',
    'image',
  ],
  [
    'an SVG whose doctype has entities',
    Buffer.from('<!DOCTYPE svg PUBLIC "a" "b" [\n<!ENTITY ns "http://ns.example/">\n]>\n<svg/>'),
    'image/svg+xml',
    'image',
  ],
  [
    'an SVG behind comments',
    Buffer.from(`${'<!---->'.repeat(500)}<svg xmlns="x"/>`),
    'image/svg+xml',
    'image',
  ],
  ['text in UTF-16', Buffer.from('\uFEFFhello hello', 'utf16le'), 'application/octet-stream', 'raw'],
  [
    'HTML that calls itself a PNG',
    Buffer.from('<html><svg></svg><script>alert(1)</script>'),
    'application/octet-stream',
    'raw',
  ],
  ['plain text', Buffer.from('hello'), 'application/octet-stream', 'raw'],
  ['a ZIP', Buffer.from('504b0304140000000000', 'hex'), 'application/zip', 'raw'],
])('knows %s by its first bytes', async (_name, head, mime, resourceType) => {
  expect(await fileKindOf(head)).toMatchObject({ mime, resourceType });
});

const chunk = (type: string, data = Buffer.alloc(0)): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  return Buffer.concat([length, Buffer.from(type), data, Buffer.alloc(4)]);
};
const png = (...chunks: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', Buffer.alloc(13)), ...chunks]);

it.each([
  ['a PNG', png(chunk('pHYs', Buffer.alloc(9)), chunk('IDAT', Buffer.alloc(40))), 'image/png'],
  ['an animated PNG', png(chunk('acTL', Buffer.alloc(8)), chunk('IDAT', Buffer.alloc(40))), 'image/apng'],
  ['a PNG that only names it later', png(chunk('IDAT', Buffer.from('.acTL...'))), 'image/png'],
  ['a JPEG', Buffer.concat([Buffer.from('ffd8ffe000104a464946', 'hex'), Buffer.alloc(60)]), 'image/jpeg'],
  ['a JPEG-LS', Buffer.concat([Buffer.from('ffd8fff7000b', 'hex'), Buffer.alloc(60)]), 'image/jls'],
])('calls %s what the library calls it', async (_name, head, mime) => {
  const { mime: told, extension } = await fileKindOf(head);
  expect({ mime: told, ext: extension }).toEqual(await fileTypeFromBuffer(head));
  expect(told).toBe(mime);
});

it('takes no time for comments without an end', async () => {
  const started = performance.now();
  // Twice as long for each further comment, if one could be matched in several ways.
  await fileKindOf(Buffer.from(`${'<!---->'.repeat(27)}x`));
  expect(performance.now() - started).toBeLessThan(1_000);
});
