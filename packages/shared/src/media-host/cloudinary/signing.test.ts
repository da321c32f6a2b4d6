import { expect, it } from 'vitest';
import { encodeContext } from './signing.js';

it.each([
  ['separators', { a: 'x=y|z' }, String.raw`a=x\=y\|z`],
  ['backslashes', { path: String.raw`c:\dir\file`, b: 'c' }, String.raw`path=c:\dir\file|b=c`],
  ['a backslash before a separator', { a: String.raw`x\|y` }, String.raw`a=x\\|y`],
  ['a value that ends in a backslash', { a: 'c:\\', b: 'd' }, 'b=d|a=c:\\'],
  ['an empty value', { a: '', b: 'c' }, 'a=|b=c'],
])('encodes %s', (_case, context, text) => {
  expect(encodeContext(context)).toBe(text);
});

it.each([
  ['a key with a separator', { 'a=b': 'c' }],
  ['a key with a backslash', { 'a\\': 'c' }],
  ['two values that end in a backslash', { a: 'c:\\', b: 'd:\\' }],
])('refuses %s', (_case, context) => {
  expect(() => encodeContext(context)).toThrow(expect.objectContaining({ code: 'HOST_CONTEXT_UNWRITABLE' }));
});
