import { expect, it } from 'vitest';
import { readFileFacts } from './file-format.js';

const box = (brand: string): Buffer =>
  Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from(`ftyp${brand}\0\0\0\0${brand}mif1`, 'latin1')]);
const jpeg = Buffer.concat([Buffer.from('ffd8ffe1', 'hex'), Buffer.alloc(300_000)]);

it.each([
  ['a JPEG whose size lies behind much metadata', 'image', jpeg, 'jpg'],
  ['a PNG that is broken further on', 'image', Buffer.from('\x89PNG\r\n\x1a\nxx', 'latin1'), 'png'],
  ['a film of AVIF images', 'image', box('avis'), 'avif'],
  ['an AVIF image', 'image', box('avif'), 'avif'],
  ['HEIC with ten bits', 'image', box('heix'), 'heic'],
  ['HEIF', 'image', box('mif1'), 'heif'],
  ['HEIF as a sequence', 'image', box('msf1'), 'heif'],
  ['a raw picture of a camera', 'image', box('crx '), 'cr3'],
  ['an image of an unknown kind', 'image', box('isom'), null],
  ['a film', 'video', box('isom'), 'mp4'],
  ['an SVG without a size', 'image', Buffer.from('<?xml version="1.0"?>\n<svg width="100%"/>'), 'svg'],
  ['a page that holds an SVG', 'image', Buffer.from('no <svg></svg>'), null],
  ['a PDF', 'image', Buffer.from('%PDF-1.7'), 'pdf'],
] as const)('knows %s', (_what, resourceType, head, format) => {
  expect(readFileFacts(resourceType, head).format).toBe(format);
});
