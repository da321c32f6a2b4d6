import type { Readable } from 'node:stream';

/** What is stored: a small body, in one piece or as the chunks it came in, or a stream, which is read once. */
export type Body = Buffer | readonly Buffer[] | Readable;

export function isStream(body: Body): body is Readable {
  return 'destroy' in body;
}

/** Size of a body that is all there; null for a stream. */
export function bytesInMemory(body: Body): number | null {
  if (isStream(body)) return null;
  return Buffer.isBuffer(body) ? body.length : body.reduce((bytes, chunk) => bytes + chunk.length, 0);
}
