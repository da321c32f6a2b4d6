import { describe, expect, it } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import type { Request } from 'express';
import { authenticate, lineOf } from './access.js';

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

it.each(['constructor x', 'toString x', '__proto__ x', 'Digest x', 'Bearer', ''])(
  'finds no key in "%s"',
  (authorization) => {
    expect(authenticate(access, { authorization })).toMatchObject({ name: 'anonymous', role: null });
  },
);

it('takes no time for a header full of spaces', () => {
  const authorization = `Bearer x${' '.repeat(60_000)}y`;
  const started = performance.now();
  expect(authenticate(access, { authorization })).toMatchObject({ name: 'anonymous', role: null });
  expect(performance.now() - started).toBeLessThan(500);
});

describe('the line of a request', () => {
  const { access: keys } = readSettings({
    REDIS_URL: 'redis://127.0.0.1',
    API_KEYS: 'web:write:web-secret,look:read:look-secret',
  });
  const { access: none } = readSettings({ REDIS_URL: 'redis://127.0.0.1' });
  const line = (where: typeof keys, method: string, url: string, secret?: string, hasPaused = true) => {
    const headers = secret === undefined ? {} : { 'x-api-key': secret };
    const req = { method, url, headers, ip: '192.0.2.1' } as unknown as Request;
    const { name, isLimited } = lineOf(where, req, hasPaused);
    return `${name}${isLimited ? '' : ', not held back'}`;
  };

  it.each([
    ['GET', '/api/media', 'web-secret', 'key-web'],
    ['GET', '/nothing', 'look-secret', 'key-look'],
    ['GET', '/api/media', 'unknown', 'address-192.0.2.1'],
    ['GET', '/openapi.json', undefined, 'address-192.0.2.1'],
    ['GET', '/livez', undefined, 'probes-192.0.2.1'],
    ['GET', '/readyz', 'web-secret', 'probes-192.0.2.1'],
    ['POST', '/api/media/upload?duplicates=return', 'web-secret', 'uploads-key-web, not held back'],
    ['POST', '/api/media/upload', 'look-secret', 'key-look'],
    ['POST', '/api/media/upload', 'unknown', 'address-192.0.2.1'],
    ['POST', '/api/media/uploads/sign', 'web-secret', 'key-web'],
  ])('for %s %s with the key %s is %s', (method, url, secret, expected) => {
    expect(line(keys, method, url, secret)).toBe(expected);
  });

  it('is that of all other requests for a probe that follows the one before at once', () => {
    expect(line(keys, 'GET', '/livez', undefined, false)).toBe('address-192.0.2.1');
    expect(line(keys, 'GET', '/readyz', 'web-secret', false)).toBe('key-web');
  });

  it('is that of the address where no key is configured', () => {
    expect(line(none, 'POST', '/api/media/upload')).toBe('uploads-address-192.0.2.1, not held back');
    expect(line(none, 'DELETE', '/api/media/x')).toBe('address-192.0.2.1');
  });
});
