import { HoldfastError } from '@holdfast/shared/errors';

const SHA256_MEMBER = /(?:^|,)\s*sha-256\s*=\s*:([A-Za-z0-9+/=]*):\s*(?:;[^,]*)?(?=,|$)/g;

/**
 * The SHA-256 that a client declares with `Repr-Digest` (RFC 9530), in hex; null without the header or with other
 * algorithms only. Throws INVALID_REQUEST for a value that cannot be a SHA-256.
 */
export function readReprDigest(header: string | undefined): string | null {
  if (header === undefined) return null;
  // Of a name that comes twice the last one counts (RFC 8941, 3.2).
  const member = [...header.matchAll(SHA256_MEMBER)].at(-1)?.[1];
  if (member === undefined) {
    if (!/sha-256/i.test(header)) return null;
    throw invalid();
  }
  const digest = Buffer.from(member, 'base64');
  if (digest.length !== 32 || digest.toString('base64') !== member) throw invalid();
  return digest.toString('hex');
}

function invalid(): HoldfastError {
  return new HoldfastError('INVALID_REQUEST', 'the digest cannot be read', {
    errors: [{ path: 'Repr-Digest', message: 'must look like sha-256=:<base64 of 32 bytes>:' }],
  });
}
