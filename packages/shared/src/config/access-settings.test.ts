import { expect, it } from 'vitest';
import { readSettings } from './settings.js';

it.each([
  ['true', true],
  ['false', false],
  ['2', 2],
  ['loopback, 10.0.0.0/8, ::1', 'loopback, 10.0.0.0/8, ::1'],
])('trusts the proxies %s', (TRUST_PROXY, expected) => {
  expect(readSettings({ TRUST_PROXY }).access.trustProxy).toBe(expected);
});

it.each(['yes', '10.0.0.0/33', '10.0.0.256', 'proxy.example.com', '10.0.0.0/8/8'])(
  'refuses %s as a proxy',
  (TRUST_PROXY) => {
    expect(() => readSettings({ TRUST_PROXY })).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        errors: [expect.objectContaining({ path: 'TRUST_PROXY' })],
      }),
    );
  },
);
