import { expect, it } from 'vitest';
import { nameOfAddress } from './request-context.js';

it.each([
  ['192.0.2.1', ['192.0.2.1', '192.0.2.1:4711', '::ffff:192.0.2.1', '[::ffff:c000:201]:80']],
  ['2001:db8:0:1::/64', ['2001:db8:0:1::1', '2001:DB8:0:1:ffff::', '[2001:db8:0:1::2]:443']],
  ['::/64', ['::1']],
  ['unknown', ['', 'unknown', '_hidden', 'example.com:80', '192.0.2.1.5', '192.0.2.1:x']],
])('counts as %s: %o', (name, addresses) => {
  expect(addresses.map(nameOfAddress)).toEqual(addresses.map(() => name));
});
