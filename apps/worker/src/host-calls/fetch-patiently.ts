import { setTimeout as pause } from 'node:timers/promises';
import { isHoldfastError } from '@holdfast/shared/errors';
import { isCircuitOpen, isTransientHostError } from '@holdfast/shared/media-host';

const TRIES = 3;

/**
 * Asks for a page again when the host stumbles, so that a run of many pages does not use up its few attempts on
 * failures far apart. A host that asks to wait is not asked again.
 */
export async function fetchPatiently<T>(
  fetch: () => Promise<T>,
  backoffMs: number,
  signal: AbortSignal,
): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await fetch();
    } catch (error) {
      const hopeless =
        !isTransientHostError(error) || isCircuitOpen(error) || isHoldfastError(error, 'HOST_RATE_LIMITED');
      if (hopeless || signal.aborted || tried >= TRIES) throw error;
      await pause(backoffMs * 2 ** (tried - 1), undefined, { signal });
    }
  }
}
