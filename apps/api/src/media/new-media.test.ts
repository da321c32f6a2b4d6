import { expect, it } from 'vitest';
import { cleanFilename } from './new-media.js';

it.each([
  ['a.png', 'a.png'],
  ['C:\\pictures\\a.png', 'a.png'],
  ['../../etc/passwd', 'passwd'],
  ['two\r\nlines\u0000.png', 'twolines.png'],
  ['', ''],
])('of %j is %j', (name, clean) => {
  expect(cleanFilename(name)).toBe(clean);
});

it.each([
  ['.png', '.png'],
  ['.tar.gz', '.gz'],
  [`.${'e'.repeat(16)}`, `.${'e'.repeat(16)}`],
  ['.größe', '.größe'],
])('keeps the end of a name that is too long and ends in %s', (end, kept) => {
  const name = `${'😀'.repeat(300)}${end}`;
  const clean = cleanFilename(name);
  expect(Array.from(clean)).toHaveLength(255);
  expect(clean.endsWith(kept)).toBe(true);
  expect(clean.startsWith('😀'.repeat(200))).toBe(true);
});

it.each(['', `.${'e'.repeat(17)}`, '. and more'])('cuts a long name that ends in %j anywhere', (end) => {
  expect(cleanFilename(`${'a'.repeat(255)}${end}`)).toBe('a'.repeat(255));
});
