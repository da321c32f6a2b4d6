import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { readReprDigest } from './repr-digest.js';

const digest = createHash('sha256').update('hello').digest();
const field = `sha-256=:${digest.toString('base64')}:`;

it('reads the SHA-256 among other algorithms', () => {
  expect(readReprDigest(field)).toBe(digest.toString('hex'));
  expect(readReprDigest(`sha-512=:AAAA:, ${field}`)).toBe(digest.toString('hex'));
  expect(readReprDigest('sha-512=:AAAA:')).toBeNull();
  const other = `sha-256=:${Buffer.alloc(32).toString('base64')}:`;
  expect(readReprDigest(`${other}, ${field}`)).toBe(digest.toString('hex'));
  expect(readReprDigest(undefined)).toBeNull();
});

it.each(['sha-256=:AAAA:', 'sha-256=abc', `sha-256=:${digest.toString('hex')}:`, 'sha-256='])(
  'refuses %s',
  (header) => {
    expect(() => readReprDigest(header)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  },
);
