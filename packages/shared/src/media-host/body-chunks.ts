import { HoldfastError } from '../errors/index.js';
import { abortReason, onAbort } from '../lifecycle/index.js';
import { isStream, type Body } from './body.js';
import { toSourceError } from './source-error.js';

export interface ReadLimits {
  signal: AbortSignal;
  /** A body that gives nothing for so long while it is asked is given up. */
  idleMs: number;
}

/**
 * The chunks of a body, which is destroyed in every outcome. Throws the reason of the signal, HOST_TIMEOUT for a
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
    if (reading) body.destroy(new HoldfastError('HOST_TIMEOUT', 'the body of the upload stalled'));
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
