import { expect, test } from 'vitest';
import { png } from '../testing/png.js';
import { cheapDuration } from './duration.js';
import { fileKind } from './file-kind.js';

const text = (value: string) => Buffer.from(value, 'latin1');

test.each([
  ['png', 'image', png(1, 1)],
  ['jpg', 'image', text('\xff\xd8\xff\xe0')],
  ['webp', 'image', text('RIFF\0\0\0\0WEBPVP8 ')],
  ['pdf', 'image', text('%PDF-1.7')],
  ['svg', 'image', text('<?xml version="1.0"?>\n<!-- x --><svg xmlns="">')],
  ['avif', 'image', text('\0\0\0\x1cftypavif')],
  ['mp4', 'video', text('\0\0\0\x18ftypisom')],
  ['mov', 'video', text('\0\0\0\x14ftypqt  ')],
  ['webm', 'video', text('\x1a\x45\xdf\xa3\x01\0\0\0\x42\x82\x84webm')],
  ['mp3', 'video', text('ID3\x04')],
  ['mp3', 'video', text('\xff\xfb\x90\0')],
  ['wav', 'video', text('RIFF\0\0\0\0WAVEfmt ')],
])('knows %s as %s', (format, family, head) => {
  expect(fileKind(head)).toEqual({ family, format });
});

test.each(['', 'plain text', '<html><svg></svg>', 'PK\x03\x04'])('knows nothing about %j', (content) => {
  expect(fileKind(text(content))).toBeNull();
});

test('reads the duration where the header has it', () => {
  const mvhd = Buffer.alloc(40);
  mvhd.write('mvhd', 0);
  mvhd.writeUInt32BE(1000, 16);
  mvhd.writeUInt32BE(2500, 20);
  expect(cheapDuration('mp4', mvhd)).toBe(2.5);
  expect(cheapDuration('mp4', text('no header'))).toBeNull();
});
