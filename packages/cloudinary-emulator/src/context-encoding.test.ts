import { expect, test } from 'vitest';
import { parseContext, parseMetadata, parseTags } from './context-encoding.js';

test.each([
  ['a=1|b=2', { a: '1', b: '2' }],
  ['a=x\\|y\\=z', { a: 'x|y=z' }],
  ['a=x=y', { a: 'x=y' }],
  ['a=back\\slash', { a: 'back\\slash' }],
  ['a=', { a: '' }],
  ['', {}],
  ['alone', { alone: '' }],
])('reads %s', (text, expected) => {
  expect(parseContext(text)).toEqual(expected);
});

test('allows 1000 pairs of 1024 characters, and no more', () => {
  const pairs = (count: number) => Array.from({ length: count }, (_, n) => `k${n}=v`).join('|');
  expect(Object.keys(parseContext(pairs(1000)))).toHaveLength(1000);
  expect(() => parseContext(pairs(1001))).toThrow(/Too many context pairs/);
  expect(parseContext(`k=${'x'.repeat(1024)}`)['k']).toHaveLength(1024);
  expect(() => parseContext(`k=${'x'.repeat(1025)}`)).toThrow(/too long/);
});

test('reads lists in metadata and repeated tags once', () => {
  expect(parseMetadata('f=["a","b"]|g=1')).toEqual({ f: ['a', 'b'], g: '1' });
  expect(parseTags(' a, b,a,,')).toEqual(['a', 'b']);
});
