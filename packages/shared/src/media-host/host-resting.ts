import { HoldfastError, isHoldfastError, type ErrorCode } from '../errors/index.js';

/** The cause of such an error: the host was not asked. */
class HostResting extends Error {
  override readonly name = 'HostResting';
}

/** Tells a caller that the host was not asked, because it has not answered lately; `code` is that of its last failure. */
export function hostResting(code: ErrorCode, retryAfterSeconds: number): HoldfastError {
  return new HoldfastError(code, 'the media host has been failing, so it was not asked now', {
    cause: new HostResting('the media host was not asked'),
    retryAfterSeconds,
  });
}

/** True for such an error: nothing was tried, so nothing is left behind, and nothing is known of the request itself. */
export function isHostResting(error: unknown): boolean {
  return isHoldfastError(error) && error.cause instanceof HostResting;
}
