import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { HoldfastError } from '../../errors/index.js';
import type { Body } from '../body.js';
import { bodyChunks, type ReadLimits } from '../body-chunks.js';
import { OWN_FILE } from './durable-files.js';
import { HEAD_BYTES } from './file-format.js';

export interface StoredBody {
  bytes: number;
  /** Hex. */
  md5: string;
  /** When the file was last written, as the file system keeps it. */
  mtimeMs: number;
  /** The first bytes, at most `HEAD_BYTES`. */
  head: Buffer;
}

/** Writes the body to a new file and to the disk below it. Memory does not grow with the size. */
export async function storeBody(path: string, body: Body, limits: ReadLimits): Promise<StoredBody> {
  const handle = await open(path, 'wx', OWN_FILE);
  try {
    const md5 = createHash('md5');
    const head: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of bodyChunks(body, limits)) {
      if (bytes < HEAD_BYTES) head.push(chunk.subarray(0, HEAD_BYTES - bytes));
      bytes += chunk.length;
      md5.update(chunk);
      // From the current position on, and all of it.
      await handle.writeFile(chunk);
    }
    // As Cloudinary does.
    if (bytes === 0) throw new HoldfastError('HOST_REJECTED', 'Empty file');
    await handle.sync();
    const { mtimeMs } = await handle.stat();
    return { bytes, md5: md5.digest('hex'), mtimeMs, head: Buffer.concat(head) };
  } finally {
    await handle.close();
  }
}
