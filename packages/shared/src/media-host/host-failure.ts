import { HoldfastError } from '../errors/index.js';
import { isHostResting } from './host-resting.js';

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

  /** True when every other call will be refused like this one, until the settings are mended. */
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
    isHostResting(error) ||
    (error.code === 'HOST_REJECTED' && error.cause instanceof HostFailure && error.cause.transient)
  );
}
