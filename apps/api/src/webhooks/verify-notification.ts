import { createHash, timingSafeEqual } from 'node:crypto';

/** A signature is good for so long, and may lead our clock by so much. */
const GOOD_FOR_MS = 2 * 3_600_000;
const AHEAD_MS = 5 * 60_000;
/** While a signature is good, the same one is recognized when it comes again. */
export const REMEMBER_MS = GOOD_FOR_MS + AHEAD_MS;

const algorithms: Readonly<Record<number, string>> = { 40: 'sha1', 64: 'sha256' };

/** Whether the notification says that it was signed not long ago. Whether that is true is for `isSignedByOne` to tell. */
export function isRecent(timestamp: string, nowMs: number): boolean {
  if (!/^\d{1,12}$/.test(timestamp)) return false;
  const ageMs = nowMs - Number(timestamp) * 1_000;
  return ageMs <= GOOD_FOR_MS && ageMs >= -AHEAD_MS;
}

/** Whether it can be a signature at all. */
export function isSignature(text: string): boolean {
  return algorithms[text.length] !== undefined && /^[0-9a-f]+$/i.test(text);
}

/**
 * Cloudinary's signature is a plain hash of body, timestamp and secret; the algorithm shows in its length. Every secret is tried,
 * so that the time it takes does not tell which one fits.
 */
export function isSignedByOne(
  secrets: readonly string[],
  body: Buffer,
  timestamp: string,
  signature: string,
): boolean {
  const algorithm = algorithms[signature.length];
  if (algorithm === undefined || !isSignature(signature)) return false;
  const given = Buffer.from(signature, 'hex');
  const begun = createHash(algorithm).update(body).update(timestamp);
  const fitting = secrets.filter((secret) => timingSafeEqual(begun.copy().update(secret).digest(), given));
  return fitting.length > 0;
}
