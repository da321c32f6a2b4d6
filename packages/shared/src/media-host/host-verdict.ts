import { isHoldfastError, type ErrorCode } from '../errors/index.js';
import { isAborted } from '../lifecycle/index.js';
import { HostFailure } from './host-failure.js';

/** A caller that left after so long without an answer has seen silence; one that left sooner has seen nothing. */
const SILENCE_MS = 2_000;

/**
 * What a rejected call tells of the host as a whole: the code of its failure; `answered` where it refused this one
 * request; null where it tells nothing, as when the caller went away or the host asks to wait.
 */
export function hostVerdict(
  error: unknown,
  signal: AbortSignal | undefined,
  elapsedMs: number,
): ErrorCode | 'answered' | null {
  if (isAborted(signal)) return isTimeLimit(signal) && elapsedMs >= SILENCE_MS ? 'HOST_TIMEOUT' : null;
  if (!isHoldfastError(error)) return null;
  const { code, cause } = error;
  if (code === 'HOST_TIMEOUT') return code;
  if (code === 'HOST_REJECTED')
    return cause instanceof HostFailure && refusesThisAlone(cause) ? 'answered' : code;
  return isHoldfastError(error, 'HOST_LIMIT', 'HOST_CURSOR_SPENT', 'MEDIA_NOT_FOUND') ? 'answered' : null;
}

/** A refusal of our credentials will meet every other request as well. */
function refusesThisAlone({ transient, refusesCredentials }: HostFailure): boolean {
  return !transient && !refusesCredentials;
}

function isTimeLimit(signal: AbortSignal | undefined): boolean {
  const reason: unknown = signal?.reason;
  return reason instanceof Error && reason.name === 'TimeoutError';
}
