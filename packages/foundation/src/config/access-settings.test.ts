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

it.each(['s', 'CHANGE-ME', 'change-me-too', 'changeme', 'some-long-secret', '<a long secret>'])(
  'refuses the secret %s, which is too short or an example',
  (secret) => {
    const env = { API_KEYS: `web:write:of-its-own,ops:admin:${secret}`, CLOUDINARY_WEBHOOK_SECRETS: secret };
    const places = [
      ['API_KEYS', 2],
      ['CLOUDINARY_WEBHOOK_SECRETS', 1],
    ] as const;
    expect(() => readSettings(env)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        errors: places.map(([path, entry]) => ({
          path,
          message: expect.stringMatching(new RegExp(`^entry ${String(entry)} (?!.*${secret} )`)) as string,
        })),
      }),
    );
  },
);

it('uses other secrets as they are', () => {
  const { keys } = readSettings({ API_KEYS: 'a:read:ab,b:read:CHANGE-ME-no-more' }).access;
  expect(keys.map(({ name }) => name)).toEqual(['a', 'b']);
});
