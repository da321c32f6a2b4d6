import { expect, it } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import { authenticate } from './access.js';

const { access } = readSettings({ REDIS_URL: 'redis://127.0.0.1', API_KEYS: 'web:write:one two' });

it.each(['Bearer one two', 'bearer   one two', `Basic ${btoa('web:one two')}`])(
  'knows "%s"',
  (authorization) => {
    expect(authenticate(access, { authorization })).toMatchObject({ name: 'web', role: 'write' });
  },
);

it.each(['utf8', 'latin1'] as const)('knows a secret with other letters that comes as %s', (encoding) => {
  const { access: foreign } = readSettings({
    REDIS_URL: 'redis://127.0.0.1',
    API_KEYS: 'web:write:gr\u00fc\u00df dich',
  });
  const sent = Buffer.from('gr\u00fc\u00df dich', encoding).toString('latin1');
  expect(authenticate(foreign, { authorization: `Bearer ${sent}` })).toMatchObject({ name: 'web' });
  expect(authenticate(foreign, { 'x-api-key': sent })).toMatchObject({ name: 'web' });
});

it('takes no time for a header full of spaces', () => {
  const authorization = `Bearer x${' '.repeat(60_000)}y`;
  const started = performance.now();
  expect(authenticate(access, { authorization })).toBeNull();
  expect(performance.now() - started).toBeLessThan(500);
});
