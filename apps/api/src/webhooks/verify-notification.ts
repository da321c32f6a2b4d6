import { createHash, timingSafeEqual } from 'node:crypto';

/** A signature is good for so long, and may lead our clock by so much. */
const GOOD_FOR_MS = 2 * 3_600_000;
const AHEAD_MS = 5 * 60_000;
/** While a signature is good, the same one is recognized when it comes again. */
export const REMEMBER_MS = GOOD_FOR_MS + AHEAD_MS;

const algorithms: Readonly<Record<number, string>> = { 40: 'sha1', 64: 'sha256' };

/** Whether the notification says that it was signed not long ago. Whether that is true is for `isSignedBy` to tell. */
export function isRecent(timestamp: string, nowMs: number): boolean {
  if (!/^\d{1,12}$/.test(timestamp)) return false;
  const ageMs = nowMs - Number(timestamp) * 1_000;
  return ageMs <= GOOD_FOR_MS && ageMs >= -AHEAD_MS;
}

/** Cloudinary's signature is a plain hash of body, timestamp and secret; the algorithm shows in its length. */
export function isSignedBy(secret: string, body: Buffer, timestamp: string, signature: string): boolean {
  const algorithm = algorithms[signature.length];
  if (algorithm === undefined || !/^[0-9a-f]+$/i.test(signature)) return false;
  const expected = createHash(algorithm).update(body).update(timestamp).update(secret).digest();
  return timingSafeEqual(expected, Buffer.from(signature, 'hex'));
}
