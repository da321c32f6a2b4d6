import { type ErrorCode, HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';

/** What the host answered, or that it did not, stripped of the request and its credentials; the cause of our errors. */
export class HostFailure extends Error {
  /** HTTP status, or null when no answer came. */
  readonly status: number | null;
  /** Of a network error, such as ECONNRESET. */
  readonly code: string | null;

  constructor(message: string, status: number | null, code: string | null = null) {
    super(message);
    this.name = 'HostFailure';
    this.status = status;
    this.code = code;
  }

  /** True when every other call will be refused like this one, until the settings are corrected. */
  get refusesCredentials(): boolean {
    return this.status === 401;
  }

  /** True when the same call may succeed later: no answer, one that is not Cloudinary's, or a failure on its side. */
  get transient(): boolean {
    const { status } = this;
    return status === null || status < 400 || status >= 500 || [408, 420, 429, 499].includes(status);
  }
}

/** The HTTP status behind one of our errors; null where the host gave none. */
export function statusOf(error: unknown): number | null {
  return isHoldfastError(error) && error.cause instanceof HostFailure ? error.cause.status : null;
}

/** HOST_REJECTED for an answer that came, and cannot be what was asked for. */
export function unreadableAnswer(message: string, detail = message): HoldfastError {
  return new HoldfastError('HOST_REJECTED', message, { cause: new HostFailure(detail, 200) });
}

/** True where the host has the asset, and what it shows of it cannot be read. */
export function isUnreadableAsset(error: unknown): boolean {
  return (
    isHoldfastError(error, 'ASSET_UNREADABLE') ||
    (isHoldfastError(error, 'HOST_REJECTED') && statusOf(error) === 200)
  );
}

/** True for a host error that says nothing about the request itself. */
export function isTransientHostError(error: unknown): boolean {
  return (
    isHoldfastError(error, 'HOST_TIMEOUT', 'HOST_RATE_LIMITED') ||
    isCircuitOpen(error) ||
    (isHoldfastError(error, 'HOST_REJECTED') && error.cause instanceof HostFailure && error.cause.transient)
  );
}

/** The cause of an error of `circuitOpen`. */
class CircuitOpen extends Error {
  override readonly name = 'CircuitOpen';
}

/** The host has been failing, so the call was not attempted; `code` is that of its last failure. */
export function circuitOpen(code: ErrorCode, retryAfterSeconds: number): HoldfastError {
  return new HoldfastError(code, 'the media host has been failing; not attempted', {
    cause: new CircuitOpen('the circuit is open'),
    retryAfterSeconds,
  });
}

/** True for such an error: nothing was attempted, so nothing is left behind, and nothing is known about the request itself. */
export function isCircuitOpen(error: unknown): boolean {
  return isHoldfastError(error) && error.cause instanceof CircuitOpen;
}
