import { HoldfastError } from '@holdfast/shared/errors';
import { isCircuitOpen } from '@holdfast/shared/media-host';

const UNKNOWN_SECONDS = 5;

/** Where the error says that the host is not asked at all for now: milliseconds until it may be asked again. */
export function hostRestMs(error: unknown): number | undefined {
  if (!(error instanceof HoldfastError) || !isCircuitOpen(error)) return undefined;
  return (error.retryAfterSeconds ?? UNKNOWN_SECONDS) * 1_000;
}
