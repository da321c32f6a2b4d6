import { randomBytes } from 'node:crypto';
import type { Body } from '../body.js';
import { bodyChunks, type ReadLimits } from '../body-chunks.js';

/** Cloudinary's limit for one request. */
export const MAX_REQUEST_BYTES = 100_000_000;
/** All parts but the last must be above 5 MB. This much of a large upload is held in memory. */
export const PART_BYTES = 8 * 1024 * 1024;

export interface Part {
  chunks: readonly Buffer[];
  /** Of the whole file, as the host wants it: `bytes 0-5/-1`, the last one with the total. */
  contentRange: string;
  /** The same for all parts of a file. */
  uploadId: string;
}

/**
 * Sends a body in parts, one after the other, and gives the reply to the last. A part is collected before it is sent,
 * because its range must be told first and the size of a body out of a form is known only at its end.
 */
export async function uploadInParts(
  body: Body,
  limits: ReadLimits & { partBytes: number },
  send: (part: Part) => Promise<unknown>,
): Promise<unknown> {
  const uploadId = `holdfast-${randomBytes(16).toString('hex')}`;
  let start = 0;
  let reply: unknown;
  for await (const { chunks, bytes, last } of cut(bodyChunks(body, limits), limits.partBytes)) {
    const end = start + bytes;
    const contentRange = `bytes ${String(start)}-${String(end - 1)}/${last ? String(end) : '-1'}`;
    reply = await send({ chunks, contentRange, uploadId });
    start = end;
  }
  return reply;
}

interface Cut {
  chunks: Buffer[];
  bytes: number;
  last: boolean;
}

/** Pieces of exactly `partBytes`, the last one shorter or equal. A piece is given once it is known whether it is the last. */
async function* cut(chunks: AsyncIterable<Buffer>, partBytes: number): AsyncGenerator<Cut, void, undefined> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    let rest = chunk;
    while (rest.length > 0) {
      if (bytes === partBytes) {
        yield { chunks: held, bytes, last: false };
        held = [];
        bytes = 0;
      }
      const piece = rest.subarray(0, partBytes - bytes);
      held.push(piece);
      bytes += piece.length;
      rest = rest.subarray(piece.length);
    }
  }
  yield { chunks: held, bytes, last: true };
}
