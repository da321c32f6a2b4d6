import { expect, it } from 'vitest';
import { readSettings } from './settings.js';

it.each(['https://user:secret-word@media.example.com', 'https://a.example/?x=1', 'https://a.example/#x'])(
  'refuses %s as the address under which clients see the files',
  (PUBLIC_URL) => {
    expect(() => readSettings({ PUBLIC_URL })).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        errors: [{ path: 'PUBLIC_URL', message: 'must have no login, query or fragment' }],
      }),
    );
  },
);

it('takes an address with a path', () => {
  expect(readSettings({ PUBLIC_URL: 'https://a.example/media/' }).http.publicUrl).toBe(
    'https://a.example/media',
  );
});
