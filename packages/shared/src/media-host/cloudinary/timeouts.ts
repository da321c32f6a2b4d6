import { SLOWEST_BYTES_PER_SECOND } from '../../media/index.js';

/** How long a host may take, in milliseconds. */
export interface HostTimeouts {
  /** One small signed call. */
  callMs: number;
  /** One page of a listing; a download without a byte. */
  pageMs: number;
  /** Without a byte in either direction during an upload; grows with the size, since hosts work on large files silently. */
  uploadIdleMs: number;
}

export const hostTimeouts: HostTimeouts = { callMs: 15_000, pageMs: 30_000, uploadIdleMs: 30_000 };

/** Of a line that is waited for. Half of what a slow one carries: a host that drips must not hold up a recovery for long. */
const SLOWEST_DOWNLOAD_BYTES_PER_SECOND = 50_000;
const MAX_EXTRA_IDLE_MS = 150_000;

export function uploadIdleMs(timeouts: HostTimeouts, bytes: number): number {
  return timeouts.uploadIdleMs + Math.min(Math.round(bytes / 1_000), MAX_EXTRA_IDLE_MS);
}

/** For a whole request that carries so many bytes. */
export function uploadDeadlineMs(timeouts: HostTimeouts, bytes: number): number {
  return 2 * uploadIdleMs(timeouts, bytes) + Math.round((bytes / SLOWEST_BYTES_PER_SECOND) * 1_000);
}

/** For a whole download of so many bytes. */
export function downloadDeadlineMs(timeouts: HostTimeouts, bytes: number): number {
  return timeouts.pageMs + Math.round((bytes / SLOWEST_DOWNLOAD_BYTES_PER_SECOND) * 1_000);
}
