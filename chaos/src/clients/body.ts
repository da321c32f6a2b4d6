import { createHash } from 'node:crypto';
import { createRandom, onePixelPng } from '@holdfast/shared/testing';

const LARGEST = 1_200_000;

const filler = ((): Buffer => {
  const random = createRandom(1);
  const pool = Buffer.alloc(LARGEST);
  for (let at = 0; at + 4 <= pool.length; at += 4) pool.writeUInt32LE(random.whole(0, 0xffff_ffff), at);
  return pool;
})();

/** A valid one-pixel PNG followed by what makes it `bytes` long, and unique for its label. */
export function pngBody(label: string, bytes: number): Buffer {
  const head = Buffer.concat([onePixelPng, Buffer.from(label)]);
  return Buffer.concat([head, filler.subarray(0, Math.max(0, bytes - head.length))]);
}

export const sha256Of = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
