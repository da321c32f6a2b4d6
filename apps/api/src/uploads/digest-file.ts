import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { HoldfastError } from '@holdfast/shared/errors';

export interface FileDigest {
  bytes: number;
  sha256: string;
  md5: string;
}

/** Counts and hashes what passes; throws FILE_TOO_LARGE on the first byte too many. */
export function createTally(maxBytes: number) {
  const sha256 = createHash('sha256');
  const md5 = createHash('md5');
  let bytes = 0;
  return {
    bytes: () => bytes,
    add: (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > maxBytes)
        throw new HoldfastError('FILE_TOO_LARGE', `the file is larger than ${String(maxBytes)} bytes`);
      sha256.update(chunk);
      md5.update(chunk);
    },
    result: (): FileDigest => ({ bytes, sha256: sha256.digest('hex'), md5: md5.digest('hex') }),
  };
}

export type Tally = ReturnType<typeof createTally>;

/** Reads a file to its end and keeps nothing of it. Throws FILE_TOO_LARGE or the error of the source. */
export async function digestFile(source: Readable, maxBytes: number): Promise<FileDigest> {
  const tally = createTally(maxBytes);
  for await (const chunk of source) tally.add(chunk as Buffer);
  return tally.result();
}
