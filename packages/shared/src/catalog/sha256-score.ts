import { packHex } from './packed-hex.js';

/**
 * Where the index of checksums has a SHA-256: a number of its first 30 bits, small enough for five bytes in Redis. Others may
 * have the same, so what is found there is compared with the record. Spelled in Lua in script-prelude.ts too.
 */
export function sha256Score(sha256: string): number {
  return scoreOfPacked(packHex(sha256));
}

/** The same of a checksum as the content line has it. */
export function scoreOfPacked(packed: string): number {
  let score = 0;
  for (let place = 1; place <= 5; place += 1) score = score * 64 + ((packed.charCodeAt(place) || 0) % 64);
  return score;
}
