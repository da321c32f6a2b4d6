import { HoldfastError } from '../errors/index.js';

/** A body that broke while it was read: not the host's fault. Our own errors pass unchanged. */
export function toSourceError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  return new HoldfastError('CLIENT_ABORTED', 'the body ended before it was complete', { cause: error });
}
