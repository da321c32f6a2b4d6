import { expect, test } from 'vitest';
import { checkSignature, sign, stringToSign } from './signature.js';

const account = { apiKey: 'key', apiSecret: 'secret', signatureAlgorithm: null, nowMs: 1_000_000_000_000 };
const signed = (fields: Record<string, string | string[]>, algorithm: 'sha1' | 'sha256' = 'sha1') => ({
  ...fields,
  api_key: 'key',
  signature: sign(stringToSign(fields, 2), 'secret', algorithm),
});
const timestamp = '1000000000';

test('signs sorted, non-empty fields and joins lists, as the API documentation shows', () => {
  const fields = { timestamp: '1315060510', public_id: 'sample_image', eager: '', public_ids: ['b', 'a'] };
  expect(stringToSign(fields, 2)).toBe('public_id=sample_image&public_ids=b,a&timestamp=1315060510');
  expect(stringToSign({ ...fields, file: 'x', api_key: 'k', signature: 's' }, 2)).toBe(
    stringToSign(fields, 2),
  );
});

test('escapes the separator in version 2 only', () => {
  expect(stringToSign({ context: 'a=x&y' }, 2)).toBe('context=a=x%26y');
  expect(stringToSign({ context: 'a=x&y' }, 1)).toBe('context=a=x&y');
});

test.each(['sha1', 'sha256'] as const)('accepts %s unless the account has the other', (algorithm) => {
  const fields = signed({ timestamp }, algorithm);
  expect(() => checkSignature(fields, account)).not.toThrow();
  const other = algorithm === 'sha1' ? 'sha256' : 'sha1';
  expect(() => checkSignature(fields, { ...account, signatureAlgorithm: other })).toThrow(
    /Invalid Signature/,
  );
});

test.each([
  [
    'a field that was changed',
    { ...signed({ timestamp, tags: 'a' }), tags: 'b' },
    /String to sign - 'tags=b&/,
  ],
  ['a field that was added', { ...signed({ timestamp }), overwrite: 'true' }, /Invalid Signature/],
  ['an unknown key', { ...signed({ timestamp }), api_key: 'other' }, /Unknown API key other/],
  ['no key', { ...signed({ timestamp }), api_key: '' }, /Must supply api_key/],
  ['no timestamp', signed({ tags: 'a' }), /timestamp/],
  [
    'an old timestamp',
    signed({ timestamp: '999996399' }),
    /Stale request - reported time is 2001-09-09 00:46:39/,
  ],
])('refuses %s', (_what, fields, message) => {
  expect(() => checkSignature(fields, account)).toThrow(message);
});
