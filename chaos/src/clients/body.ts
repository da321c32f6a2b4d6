import { createHash } from 'node:crypto';
import { createRandom } from '../random.js';

const PNG_HEAD = Buffer.from(
  '89504e470d0a1a0a0000000d4948445200000001000000010806000000' +
    '1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082',
  'hex',
);
const LARGEST = 1_200_000;

const filler = ((): Buffer => {
  const random = createRandom(1);
  const pool = Buffer.alloc(LARGEST);
  for (let at = 0; at + 4 <= pool.length; at += 4) pool.writeUInt32LE(random.whole(0, 0xffff_ffff), at);
  return pool;
})();

/** A valid one-pixel PNG followed by what makes it `bytes` long, and unique for its label. */
export function pngBody(label: string, bytes: number): Buffer {
  const head = Buffer.concat([PNG_HEAD, Buffer.from(label)]);
  return Buffer.concat([head, filler.subarray(0, Math.max(0, bytes - head.length))]);
}

export const sha256Of = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
