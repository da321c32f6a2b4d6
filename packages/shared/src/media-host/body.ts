import type { Readable } from 'node:stream';
import { HoldfastError } from '@holdfast/foundation/errors';
import { abortReason, onAbort } from '@holdfast/foundation/lifecycle';

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

export interface ReadLimits {
  signal: AbortSignal;
  /** A body that yields nothing for this long while it is read is given up. */
  idleMs: number;
}

/**
 * The chunks of a body, which is destroyed in every outcome. Throws the reason of the signal, UPLOAD_EXPIRED for a
 * silent body, CLIENT_ABORTED for one that breaks.
 */
export async function* bodyChunks(
  body: Body,
  { signal, idleMs }: ReadLimits,
): AsyncGenerator<Buffer, void, undefined> {
  if (!isStream(body)) {
    if (Buffer.isBuffer(body)) yield body;
    else yield* body;
    return;
  }
  let reading = true;
  const timer = setTimeout(() => {
    if (reading) body.destroy(new HoldfastError('UPLOAD_EXPIRED'));
  }, idleMs);
  const forgetAbort = onAbort(signal, (reason) => body.destroy(reason));
  try {
    signal.throwIfAborted();
    for await (const chunk of body as AsyncIterable<Buffer>) {
      reading = false;
      yield chunk;
      reading = true;
      timer.refresh();
    }
  } catch (error) {
    throw signal.aborted ? abortReason(signal) : toSourceError(error);
  } finally {
    clearTimeout(timer);
    forgetAbort();
    body.destroy();
  }
}

/** A body that broke while it was read: not the host's fault. Our own errors pass unchanged. */
export function toSourceError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  return new HoldfastError('CLIENT_ABORTED', 'the body ended before it was complete', { cause: error });
}
