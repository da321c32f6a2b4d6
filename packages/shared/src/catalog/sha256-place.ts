import { packHex } from './packed-hex.js';

export interface Sha256Place {
  bucket: string;
  score: number;
}

/**
 * Where the index of checksums keeps a SHA-256: in one of 16,384 small sorted sets, which Redis keeps compact up to two million
 * records, under a number small enough for five bytes. Others may have the same place, so what is found there is compared
 * with the record. Spelled in Lua in index-prelude.ts too.
 */
export function sha256Place(sha256: string): Sha256Place {
  return placeOfPacked(packHex(sha256));
}

/** The same of a checksum as the content line has it. */
export function placeOfPacked(packed: string): Sha256Place {
  const code = (at: number): number => packed.charCodeAt(at) || 0;
  let score = 0;
  for (let at = 4; at <= 8; at += 1) score = score * 64 + (code(at) % 64);
  return { bucket: packed.slice(1, 3) + String(code(3) % 4), score };
}
