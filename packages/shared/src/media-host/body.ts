import { addAbortSignal, type Readable } from 'node:stream';
import { HoldfastError } from '@holdfast/foundation/errors';

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

/** The chunks of a body, until the signal aborts. Throws CLIENT_ABORTED for a stream that breaks. */
export async function* bodyChunks(body: Body, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  if (!isStream(body)) {
    yield* Buffer.isBuffer(body) ? [body] : body;
    return;
  }
  addAbortSignal(signal, body);
  try {
    yield* body as AsyncIterable<Buffer>;
  } catch (error) {
    throw toSourceError(error);
  }
}

/** A body that broke while it was read: not the host's fault. Our own errors pass unchanged. */
export function toSourceError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  return new HoldfastError('CLIENT_ABORTED', 'the body ended before it was complete', { cause: error });
}
