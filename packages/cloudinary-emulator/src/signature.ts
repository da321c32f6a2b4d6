import { createHash, timingSafeEqual } from 'node:crypto';
import { ApiError } from './api-error.js';
import type { Fields } from './http/fields.js';
import { fieldText } from './http/fields.js';

export type SignatureAlgorithm = 'sha1' | 'sha256';

const UNSIGNED_FIELDS = new Set(['file', 'api_key', 'signature', 'cloud_name', 'resource_type']);
const HOUR_SECONDS = 3600;

/** The text that is hashed, before the secret: version 2 escapes `&` inside each pair, version 1 does not. */
export function stringToSign(fields: Fields, version: 1 | 2): string {
  const pairs: string[] = [];
  for (const name of Object.keys(fields).toSorted()) {
    const value = fieldText(fields, name);
    if (UNSIGNED_FIELDS.has(name) || value === '') continue;
    const pair = `${name}=${value}`;
    pairs.push(version === 2 ? pair.replaceAll('&', '%26') : pair);
  }
  return pairs.join('&');
}

/** Cloudinary's signature is a plain hash of text and secret, in hex; not an HMAC. */
export function sign(text: string, secret: string, algorithm: SignatureAlgorithm): string {
  return createHash(algorithm).update(text).update(secret).digest('hex');
}

/** What `verify_api_response_signature` checks; always in the version 1 form. */
export function responseSignature(
  asset: { publicId: string; version: number },
  secret: string,
  algorithm: SignatureAlgorithm,
): string {
  return sign(`public_id=${asset.publicId}&version=${asset.version}`, secret, algorithm);
}

/** Throws the API's 401 or 400 unless the fields are signed by the secret within the last hour. */
export function checkSignature(
  fields: Fields,
  account: {
    apiKey: string;
    apiSecret: string;
    signatureAlgorithm: SignatureAlgorithm | null;
    nowMs: number;
  },
): void {
  const apiKey = fieldText(fields, 'api_key');
  if (apiKey === '') throw new ApiError(401, 'Must supply api_key');
  if (apiKey !== account.apiKey) throw new ApiError(401, `Unknown API key ${apiKey}`);
  const timestamp = Number(fieldText(fields, 'timestamp'));
  if (!Number.isFinite(timestamp) || timestamp <= 0) {
    throw new ApiError(400, 'Missing required parameter - timestamp');
  }
  const signature = fieldText(fields, 'signature');
  // Without a fixed algorithm its length tells it, as accounts may use either.
  const algorithm = account.signatureAlgorithm ?? (signature.length === 64 ? 'sha256' : 'sha1');
  const valid = ([2, 1] as const).some((version) =>
    same(signature, sign(stringToSign(fields, version), account.apiSecret, algorithm)),
  );
  if (!valid) {
    throw new ApiError(401, `Invalid Signature ${signature}. String to sign - '${stringToSign(fields, 2)}'.`);
  }
  if (timestamp < account.nowMs / 1000 - HOUR_SECONDS) {
    const reported = new Date(timestamp * 1000).toISOString().replace('T', ' ').slice(0, 19);
    throw new ApiError(
      400,
      `Stale request - reported time is ${reported} +0000 which is more than 1 hour ago`,
    );
  }
}

function same(given: string, expected: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}
