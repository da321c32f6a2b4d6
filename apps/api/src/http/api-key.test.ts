import { expect, it } from 'vitest';
import { readSettings } from '@holdfast/shared/config';
import { authenticate } from './api-key.js';

const { access } = readSettings({ REDIS_URL: 'redis://127.0.0.1', API_KEYS: 'web:write:one two' });

it.each(['Bearer one two', 'bearer   one two', `Basic ${btoa('web:one two')}`])(
  'knows "%s"',
  (authorization) => {
    expect(authenticate(access, { authorization })).toMatchObject({ name: 'web', role: 'write' });
  },
);

it('takes no time for a header full of spaces', () => {
  const authorization = `Bearer x${' '.repeat(60_000)}y`;
  const started = performance.now();
  expect(authenticate(access, { authorization })).toBeNull();
  expect(performance.now() - started).toBeLessThan(500);
});
