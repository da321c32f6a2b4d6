import { expect, it } from 'vitest';
import { readPrefer } from './prefer.js';

it.each([
  [undefined, {}],
  ['', {}],
  ['wait=10', { waitSeconds: 10 }],
  ['respond-async, WAIT="5"; foo', { waitSeconds: 5 }],
  ['wait=0', { waitSeconds: 0 }],
  ['wait = 7', { waitSeconds: 7 }],
  ['wait=1, wait=2', { waitSeconds: 1 }],
  ['wait=9999999', { waitSeconds: 1_000_000 }],
  [`wait=${'9'.repeat(400)}`, { waitSeconds: 1_000_000 }],
  ['wait=-1', {}],
  ['wait=soon', {}],
  ['wait=1.5', {}],
  ['await=3', {}],
  ['x="a, wait=3", wait=4', { waitSeconds: 4 }],
  ['handling=lenient; x="a, wait=3"', {}],
  [String.raw`x="a \", wait=3", wait=4`, { waitSeconds: 4 }],
  ['x="never closed, wait=3', {}],
  ['foo; x=";", wait=6; y', { waitSeconds: 6 }],
])('reads %j', (header, preferences) => expect(readPrefer(header)).toEqual(preferences));
