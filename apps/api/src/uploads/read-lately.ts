import type { IncomingMessage } from 'node:http';
import { appendChunk } from './append-chunk.js';

/** More than the longest text part with its headers and the chunk that waits for the parser take together. */
const KEPT_BYTES = 160_000;

/** The newest bytes of a body, as they came. Chunks are held, not copied, but tiny ones: taking the first of 160,000 away is slow. */
export function readLately(req: IncomingMessage): { includes(text: string): boolean } {
  const chunks: Buffer[] = [];
  let bytes = 0;
  req.on('data', (chunk: Buffer) => {
    appendChunk(chunks, chunk);
    bytes += chunk.length;
    while (bytes - (chunks[0]?.length ?? 0) >= KEPT_BYTES) bytes -= chunks.shift()?.length ?? 0;
  });
  return { includes: (text) => Buffer.concat(chunks).includes(Buffer.from(text, 'utf8')) };
}
