import { expect, it } from 'vitest';
import { browserAddress } from './launch.js';

it.each([
  ['127.0.0.1', 'http://127.0.0.1:3000'],
  ['0.0.0.0', 'http://localhost:3000'],
  ['::', 'http://localhost:3000'],
  ['::1', 'http://[::1]:3000'],
  ['media.example.com', 'http://media.example.com:3000'],
])('names an address that a browser can open for HOST=%s', (host, address) => {
  expect(browserAddress(host, 3000)).toBe(address);
});
