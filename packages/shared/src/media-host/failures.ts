import { type ErrorCode, HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import type { HostHealth } from './media-host.js';

/** What the host answered, or that it did not, stripped of the request and its credentials; the cause of our errors. */
export class HostFailure extends Error {
  /** HTTP status, or null when no answer came. */
  readonly status: number | null;
  /** Of a network error, such as ECONNRESET. */
  readonly code: string | null;

  constructor(message: string, status: number | null, code: string | null) {
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

/** True where the host has the asset, and what it shows of it cannot be read. */
export function isUnreadableAsset(error: unknown): boolean {
  if (!(error instanceof HoldfastError)) return false;
  if (error.code === 'ASSET_UNREADABLE') return true;
  return error.code === 'HOST_REJECTED' && error.cause instanceof HostFailure && error.cause.status === 200;
}

/** True for a host error that says nothing about the request itself. */
export function isTransientHostError(error: unknown): boolean {
  if (!(error instanceof HoldfastError)) return false;
  return (
    error.code === 'HOST_TIMEOUT' ||
    error.code === 'HOST_RATE_LIMITED' ||
    isCircuitOpen(error) ||
    (error.code === 'HOST_REJECTED' && error.cause instanceof HostFailure && error.cause.transient)
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

/** Remembers what recent calls showed, so that health is answered without a call. */
interface HostOutcomes {
  readonly answered: () => void;
  readonly failed: (error: HoldfastError) => void;
  readonly health: () => HostHealth;
}

/** `now` gives milliseconds since the epoch. Logs only when the host goes away or comes back. */
export function createHostOutcomes(now: () => number, log: Logger): HostOutcomes {
  let reachable: boolean | null = null;
  let successAt: number | null = null;
  let failureAt: number | null = null;
  let failing: HostHealth['failing'] = null;
  let lastErrorCode: string | null = null;
  return {
    answered: () => {
      if (reachable === false) log.info('host.recovered');
      reachable = true;
      failing = null;
      successAt = now();
    },
    failed: ({ code, message, cause }) => {
      if (reachable !== false) log.warn('host.failing', { code });
      reachable = false;
      failureAt = now();
      lastErrorCode = code;
      failing = {
        since: failing?.since ?? new Date(failureAt).toISOString(),
        message,
        refusesCredentials: cause instanceof HostFailure && cause.refusesCredentials,
      };
    },
    health: () => ({
      reachable,
      lastSuccessAt: iso(successAt),
      lastFailureAt: iso(failureAt),
      lastErrorCode,
      failing,
      circuit: 'closed',
    }),
  };
}

function iso(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
